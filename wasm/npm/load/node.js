// From beside this file, from the disk: Node and Deno.

import { readFile } from "node:fs/promises";

export const read = (url) => readFile(url);
