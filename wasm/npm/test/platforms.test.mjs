// Importing does nothing, anywhere; each platform's entry finds its module.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { Worker } from "node:worker_threads";
import { buildSync } from "esbuild";

const at = (...path) => join(process.env.PACKAGE, ...path);

test("importing on a server does nothing", () => {
  const script = `
    globalThis.fetch = () => { throw new Error("asked the network"); };
    WebAssembly.instantiate = WebAssembly.compile = () => { throw new Error("compiled"); };
    for (const entry of ["web/index", "web/strength", "web/meter", "node/index", "node/strength", "inline/index", "inline/meter"]) await import("${pathToFileURL(at("")).href}/" + entry + ".js");
    console.log("nothing happened", typeof customElements);`;
  assert.match(String(execFileSync(process.execPath, ["--input-type=module", "--eval", script])), /nothing happened/);
});

test("inline needs no file beside it", async () => {
  const { ready, email } = await import(pathToFileURL(at("inline", "index.js")));
  const { loadStrength, strength } = await import(pathToFileURL(at("inline", "strength.js")));
  await ready();
  await loadStrength();
  assert.ok(email.parse("a@b.de").ok);
  assert.equal(strength("password").score, 0);
});

test("a worker whose imports of .wasm give the module", async () => {
  const ask = `import { loadStrength, strength } from "./workerd/strength.js"; import { parentPort } from "node:worker_threads";
    await loadStrength(); parentPort.postMessage(strength("password1").score);`;
  const outfile = at("..", "worker.mjs");
  buildSync({ stdin: { contents: ask, resolveDir: at("") }, bundle: true, outfile, format: "esm", platform: "node", target: "node18", loader: { ".wasm": "binary" } });
  const worker = new Worker(outfile);
  const score = await new Promise((answer, failed) => worker.on("message", answer).on("error", failed));
  await worker.terminate();
  assert.equal(score, 0);
});

test("one copy of each module", () => {
  const names = readFileSync(at("package.json"), "utf8");
  assert.deepEqual([...names.matchAll(/"\.\/(?!wasm\/)[^"]*\.wasm": "([^"]*)"/g)].map(([, path]) => path), ["./wasm/validators.wasm", "./wasm/strength.wasm"]);
});
