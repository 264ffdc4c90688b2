// Everything that must be true of the built package. usage: node tools/check.mjs OUT

import { execFileSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { join, resolve } from "node:path";

const out = resolve(process.argv[2]);
const package_ = join(out, "package");
const tarball = join(out, readdirSync(out).find((name) => name.endsWith(".tgz")));
const environment = { ...process.env, PACKAGE: package_ };
const run = (name, arguments_) => {
  console.log(`--> ${name}`);
  execFileSync(process.execPath, arguments_, { stdio: "inherit", env: environment });
};

run("publint", ["node_modules/publint/src/cli.js", package_, "--strict"]);
// this package is for ES modules only, as its README says
run("are the types wrong", ["node_modules/@arethetypeswrong/cli/dist/index.js", tarball, "--profile", "esm-only", "--exclude-entrypoints", "validators.wasm", "strength.wasm"]);
run("types", ["node_modules/typescript/bin/tsc", "--project", "test/types"]);
run("tests", ["--test", "--test-reporter=spec", ...readdirSync("test").filter((name) => name.endsWith(".test.mjs")).map((name) => join("test", name))]);
run("sizes and times", ["tools/measure.mjs", package_]);
