// An application of three lines, bundled by Vite and by webpack, in Chromium: it works, and it loads a module at its first use.

import assert from "node:assert/strict";
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { build } from "vite";
import webpack from "webpack";
import { served } from "./browser.mjs";
import { installed } from "./installed.mjs";

const MAIN = `
import { email, ready } from "@portcullis/validators";
ready().then(() => { document.title = email.parse("Ada@M\\u00dcNCHEN.de").value.canonical; });
globalThis.measure = async (text) => { const { loadStrength, strength } = await import("@portcullis/validators/strength"); await loadStrength(); return strength(text).score; };
`;
const PAGE = (script) => `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>app</title>${script}</head><body></body></html>`;

async function works(test, folder, html) {
  const page = await served(folder, { "/": html });
  test.after(() => page.close());
  const loaded = () => page.evaluate(() => performance.getEntriesByType("resource").map(({ name }) => new URL(name).pathname).filter((path) => /\.(js|wasm)$/.test(path)));
  await page.waitForFunction(() => document.title !== "app", undefined, { polling: 50, timeout: 20_000 }).catch((error) => { throw new Error(`${error.message}; refused: ${page.refused}`); });
  assert.equal(await page.title(), "ada@xn--mnchen-3ya.de");
  const first = await loaded();
  const modules = (paths) => paths.filter((path) => path.endsWith(".wasm")).map((path) => /(validators|strength)[^/]*$/.exec(path)?.[1]);
  assert.deepEqual(modules(first), ["validators"], String(first));
  const scripts = first.filter((path) => path.endsWith(".js")).map((path) => readFileSync(join(folder, path), "utf8"));
  assert.ok(scripts.length > 0);
  for (const script of scripts) assert.doesNotMatch(script, /suggestions/, "the JavaScript of strength is there before it is asked for");
  assert.equal(await page.evaluate(() => globalThis.measure("password")), 0);
  const all = await loaded();
  assert.deepEqual(modules(all).sort(), ["strength", "validators"]);
  assert.ok(all.filter((path) => path.endsWith(".js")).length > scripts.length);
  assert.deepEqual([page.foreign, page.refused], [[], []]);
}

test("Vite", async (test) => {
  const app = installed("vite", { "main.js": MAIN, "index.html": PAGE(`<script type="module" src="/main.js"></script>`) });
  await build({ root: app, configFile: false, logLevel: "error", build: { outDir: "out", target: "es2022" } });
  await works(test, join(app, "out"), readFileSync(join(app, "out", "index.html"), "utf8"));
});

test("webpack", async (test) => {
  const app = installed("webpack", { "main.js": MAIN });
  rmSync(join(app, "out"), { recursive: true, force: true });
  const output = { path: join(app, "out"), filename: "main.js", assetModuleFilename: "[name]-[hash][ext]" };
  const stats = await new Promise((done, failed) => webpack({ context: app, mode: "production", target: ["web", "es2022"], entry: "./main.js", output, performance: false }, (error, stats) => (error ? failed(error) : done(stats))));
  assert.ok(!stats.hasErrors() && !stats.hasWarnings(), stats.toString("errors-warnings"));
  await works(test, join(app, "out"), PAGE(`<script defer src="/main.js"></script>`));
});
