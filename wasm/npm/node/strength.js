import { createStrength } from "../api/strength.js";
import { base } from "./base.js";
import { read } from "../load/node.js";

export const { loadStrength, strength, password } = createStrength(base, () => read(new URL("../wasm/strength.wasm", import.meta.url)));
