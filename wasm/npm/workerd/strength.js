import { createStrength } from "../api/strength.js";
import { base } from "./base.js";
import compiled from "../wasm/strength.wasm";

export const { loadStrength, strength, password } = createStrength(base, () => compiled);
