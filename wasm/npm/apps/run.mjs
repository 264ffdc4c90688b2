// Builds the applications with the built package, starts them and opens them in Chromium.
// usage: node apps/run.mjs OUT [NAME …], with the package in OUT/package; the applications are built in OUT/apps

import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import { cpSync, mkdirSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { join, resolve } from "node:path";
import { chromium } from "playwright-core";

const out = resolve(process.argv[2]);
const asked = process.argv.slice(3);
const KNOWN = "ada@xn--mnchen-3ya.de";
const environment = { ...process.env, CI: "1", NEXT_TELEMETRY_DISABLED: "1", NODE_ENV: "production" };

/** Where each is, how it is built, and how it is started on a port. */
const next = (...flags) => ({ folder: "next", build: ["node_modules/next/dist/bin/next", "build", ...flags], start: (port) => [["node_modules/next/dist/bin/next", "start", "--hostname", "127.0.0.1", "--port", port], {}] });
const APPS = {
  "next-webpack": next(),
  "next-turbopack": next("--turbopack"),
  sveltekit: { folder: "sveltekit", build: ["node_modules/vite/bin/vite.js", "build"], start: (port) => [["build/index.js"], { HOST: "127.0.0.1", PORT: port }] },
};

/** The application's folder, with its packages and ours. */
function prepared(name, folder) {
  const app = join(out, "apps", name);
  const packages = join(app, "node_modules");
  mkdirSync(app, { recursive: true });
  for (const left of readdirSync(app).filter((entry) => entry !== "node_modules")) rmSync(join(app, left), { recursive: true, force: true });
  cpSync(join("apps", folder), app, { recursive: true });
  const lock = readFileSync(join(app, "package-lock.json"), "utf8");
  const stamp = join(packages, ".installed");
  let installed = "";
  try { installed = readFileSync(stamp, "utf8"); } catch { /* not yet */ }
  if (installed !== lock) {
    execFileSync("npm", ["ci", "--silent", "--ignore-scripts", "--no-audit", "--no-fund", "--include=dev"], { cwd: app, stdio: "inherit" });
    cpSync(join(app, "package-lock.json"), stamp);
  }
  rmSync(join(packages, "@portcullis"), { recursive: true, force: true });
  cpSync(join(out, "package"), join(packages, "@portcullis", "validators"), { recursive: true });
  return app;
}

const freePort = () => new Promise((done) => {
  const server = createServer();
  server.listen(0, "127.0.0.1", () => {
    const { port } = server.address();
    server.close(() => done(String(port)));
  });
});

/** The answer of an address that is being started. */
async function answered(url, server) {
  for (;;) {
    if (server.exitCode !== null) throw new Error(`the server went with ${server.exitCode}`);
    const response = await fetch(url).catch(() => null);
    if (response) return response;
    await new Promise((done) => setTimeout(done, 100));
  }
}

async function opened(browser, origin) {
  const page = await browser.newPage();
  page.setDefaultTimeout(20_000);
  const faults = [];
  const modules = [];
  page.on("pageerror", (error) => faults.push(error.message));
  page.on("console", (message) => message.type() === "error" && !/favicon/.test(message.location().url) && faults.push(message.text()));
  page.on("request", (request) => {
    if (!request.url().startsWith(origin)) faults.push(`a request to ${request.url()}`);
    if (/\.wasm$/.test(new URL(request.url()).pathname)) modules.push(/(validators|strength)/.exec(request.url())?.[1]);
  });
  await page.goto(origin);
  await page.locator("#browser", { hasText: KNOWN }).waitFor();
  assert.deepEqual(modules, ["validators"], "modules before the password field is used");
  await page.fill("#password", "password");
  await page.locator("portcullis-password-meter[score='0']").waitFor();
  assert.deepEqual([modules, faults], [["validators", "strength"], []]);
  await page.close();
}

const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox"] });
try {
  for (const [name, { folder, build, start }] of Object.entries(APPS)) {
    if (asked.length > 0 && !asked.includes(name)) continue;
    console.log(`--> ${name}`);
    const app = prepared(name, folder);
    execFileSync(process.execPath, build, { cwd: app, stdio: "inherit", env: environment });
    const port = await freePort();
    const [command, more] = start(port);
    const server = spawn(process.execPath, command, { cwd: app, stdio: ["ignore", "inherit", "inherit"], env: { ...environment, ...more } });
    try {
      const origin = `http://127.0.0.1:${port}`;
      const response = await answered(origin, server);
      const html = await response.text();
      assert.equal(response.status, 200, html);
      assert.match(html.replace(/<!--.*?-->/g, ""), new RegExp(`id="server">${KNOWN} 0<`), "what the server renders");
      await opened(browser, origin);
    } finally {
      server.kill();
    }
  }
} finally {
  await browser.close();
}
