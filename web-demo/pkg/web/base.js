import { createValidators } from "../api/validators.js";
import { fetched } from "../load/web.js";

export const base = createValidators(() => fetched(new URL("../wasm/validators.wasm", import.meta.url)));
