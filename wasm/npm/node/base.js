import { createValidators } from "../api/validators.js";
import { read } from "../load/node.js";

export const base = createValidators(() => read(new URL("../wasm/validators.wasm", import.meta.url)));
