import { createValidators } from "../api/validators.js";
import compiled from "../wasm/validators.wasm";

export const base = createValidators(() => compiled);
