import { createValidators } from "../api/validators.js";
import { inflated } from "../load/inline.js";

// in the script itself: a bundler of server code would move a file away from it
export const base = createValidators(async () => inflated((await import("../inline/validators.packed.js")).default));
