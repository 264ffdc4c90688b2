// Deno and workerd themselves, with the package installed as a user's would be: the exports map gives each its entry.
// Both come from npm as binaries; where this system has none of them, that is said and skipped.

import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { readdirSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { buildSync } from "esbuild";
import { installed } from "./installed.mjs";

/** A program out of one of these packages that runs here, or why none does. */
function program(path, ...packages) {
  const { resolve } = createRequire(import.meta.url);
  for (const name of packages) {
    try {
      const binary = join(dirname(resolve(`${name}/package.json`)), path);
      execFileSync(binary, ["--version"], { stdio: "pipe" });
      return { binary };
    } catch (error) {
      if (error.code !== "MODULE_NOT_FOUND") return { skip: `${name} does not run here: ${error.message}` };
    }
  }
  return { skip: `of ${packages.join(", ")} none is for this system` };
}

const USED = `
  const early = email.parse("a@b.de").issues[0].code;
  await ready();
  const { value } = email.parse("Ada@M\\u00dcNCHEN.de");
  const { loadStrength, strength } = await import("@portcullis/validators/strength");
  await loadStrength();
  const answer = { early, canonical: value.canonical, weak: strength("password").score, strong: strength("featherstonehaugh kq7").score };`;
const ANSWER = { early: "not_loaded", canonical: "ada@xn--mnchen-3ya.de", weak: 0, strong: 4 };

const deno = program("deno", "@deno/linux-x64-glibc", "@deno/linux-arm64-glibc", "@deno/darwin-x64", "@deno/darwin-arm64");
test("Deno", { skip: deno.skip }, () => {
  const app = installed("deno", {
    "main.js": `import { email, ready } from "@portcullis/validators"; ${USED}
      console.log(JSON.stringify({ ...answer, entry: import.meta.resolve("@portcullis/validators").split("/validators/").pop() }));`,
  });
  const environment = { ...process.env, DENO_DIR: join(app, "cache"), DENO_NO_UPDATE_CHECK: "1", NO_COLOR: "1" };
  const said = execFileSync(deno.binary, ["run", "--no-prompt", "--no-remote", `--allow-read=${app}`, "main.js"], { cwd: app, env: environment });
  assert.deepEqual(JSON.parse(said), { ...ANSWER, entry: "node/index.js" });
});

const workerd = program("bin/workerd", "@cloudflare/workerd-linux-64", "@cloudflare/workerd-linux-arm64", "@cloudflare/workerd-darwin-64", "@cloudflare/workerd-darwin-arm64");
test("workerd", { skip: workerd.skip }, async () => {
  const app = installed("workerd", {
    "worker.js": `import { email, ready } from "@portcullis/validators";
      export default { async fetch() { ${USED} return Response.json(answer); } };`,
  });
  // as wrangler does: one script, and the .wasm files as modules of the same folder
  buildSync({ entryPoints: [join(app, "worker.js")], bundle: true, format: "esm", target: "es2022", conditions: ["workerd", "worker", "browser"], loader: { ".wasm": "copy" }, outdir: join(app, "out") });
  const files = readdirSync(join(app, "out")).sort((a, b) => Number(b.endsWith(".js")) - Number(a.endsWith(".js")));
  assert.equal(files.filter((file) => file.endsWith(".wasm")).length, 2);
  const module = (file) => `(name = "${file}", ${file.endsWith(".js") ? "esModule" : "wasm"} = embed "out/${file}")`;
  writeFileSync(join(app, "config.capnp"), `using Workerd = import "/workerd/workerd.capnp";
    const config :Workerd.Config = (
      services = [(name = "main", worker = (modules = [${files.map(module).join(", ")}], compatibilityDate = "2024-01-01"))],
      sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "main")]);`);
  const server = spawn(workerd.binary, ["serve", "config.capnp", "--control-fd=3"], { cwd: app, stdio: ["ignore", "inherit", "inherit", "pipe"] });
  try {
    const port = await new Promise((listening, failed) => {
      let told = "";
      server.stdio[3].on("data", (data) => {
        told += data;
        const port = /"port":(\d+)/.exec(told);
        if (port) listening(port[1]);
      });
      server.on("exit", (code) => failed(new Error(`workerd went with ${code}`)));
    });
    const answer = await fetch(`http://127.0.0.1:${port}/`);
    assert.deepEqual(await answer.json(), ANSWER);
  } finally {
    server.kill();
  }
});
