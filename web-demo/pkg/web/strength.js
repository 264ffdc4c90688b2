import { createStrength } from "../api/strength.js";
import { base } from "./base.js";
import { fetched } from "../load/web.js";

export const { loadStrength, strength, password } = createStrength(base, () => fetched(new URL("../wasm/strength.wasm", import.meta.url)));
