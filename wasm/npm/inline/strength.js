import { createStrength } from "../api/strength.js";
import { base } from "./base.js";
import { inflated } from "../load/inline.js";
import packed from "./strength.packed.js";

export const { loadStrength, strength, password } = createStrength(base, () => inflated(packed));
