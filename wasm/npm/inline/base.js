import { createValidators } from "../api/validators.js";
import { inflated } from "../load/inline.js";
import packed from "./validators.packed.js";

export const base = createValidators(() => inflated(packed));
