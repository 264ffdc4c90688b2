// Puts the package together: optimised modules, their JavaScript made small, and what is written by hand.
// usage: node tools/assemble.mjs OUT, with OUT/{validators,strength}.wasm and OUT/glue from `cargo xtask wasm`

import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { gzipSync } from "node:zlib";
import { transformSync } from "esbuild";

const out = resolve(process.argv[2]);
const package_ = join(out, "package");
const HAND_WRITTEN = ["api", "inline", "load", "node", "types", "web", "workerd", "package.json", "README.md"];
const WASM_OPT = ["-Oz", "--enable-bulk-memory", "--enable-sign-ext", "--enable-mutable-globals", "--enable-nontrapping-float-to-int", "--enable-reference-types", "--enable-multivalue", "--strip-debug", "--strip-producers", "--strip-target-features"];

rmSync(package_, { recursive: true, force: true });
for (const folder of ["glue", "wasm"]) mkdirSync(join(package_, folder), { recursive: true });
for (const path of HAND_WRITTEN) cpSync(path, join(package_, path), { recursive: true });
cpSync("../../LICENSE", join(package_, "LICENSE"));

for (const module of ["validators", "strength"]) {
  const wasm = join(package_, "wasm", `${module}.wasm`);
  const optimise = ["node_modules/binaryen/bin/wasm-opt", join(out, "glue", `${module}_bg.wasm`), "-o", wasm, ...WASM_OPT];
  execFileSync(process.execPath, optimise, { stdio: "inherit" });
  const glue = transformSync(readFileSync(join(out, "glue", `${module}.js`), "utf8"), { minify: true, format: "esm" });
  writeFileSync(join(package_, "glue", `${module}.js`), glue.code);
  const packed = gzipSync(readFileSync(wasm), { level: 9 }).toString("base64");
  writeFileSync(join(package_, "inline", `${module}.packed.js`), `export default "${packed}";\n`);
}

// no script of a dependency runs, and nothing is asked of a registry
const packed = execFileSync("npm", ["pack", "--silent", "--ignore-scripts", "--pack-destination", out], { cwd: package_ });
console.log(join(out, String(packed).trim()));
