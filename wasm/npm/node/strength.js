import { createStrength } from "../api/strength.js";
import { base } from "./base.js";
import { inflated } from "../load/inline.js";

export const { loadStrength, strength, password } = createStrength(base, async () => inflated((await import("../inline/strength.packed.js")).default));
