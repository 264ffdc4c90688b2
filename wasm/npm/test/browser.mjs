// The package in a page of Debian's Chromium, served from the disk with the headers a strict site sends.

import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";
import { chromium } from "playwright-core";

const TYPES = { ".js": "text/javascript", ".mjs": "text/javascript", ".wasm": "application/wasm", ".html": "text/html; charset=utf-8" };
export const STRICT = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; connect-src 'self'; style-src 'self'; base-uri 'none'";

/** A page whose requests elsewhere are collected in `foreign`, and its refusals in `refused`. */
export async function served(folder, files = {}, csp = STRICT) {
  const server = createServer(async (request, response) => {
    const path = new URL(request.url, "http://localhost").pathname;
    const body = files[path] ?? (path === "/" ? "<!doctype html><html lang=en><title>t</title><main></main></html>" : await readFile(join(folder, normalize(path))).catch(() => undefined));
    const type = TYPES[extname(path)] ?? TYPES[".html"];
    response.writeHead(body === undefined ? 404 : 200, { "content-type": type, "content-security-policy": csp });
    response.end(body);
  });
  await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
  const origin = `http://127.0.0.1:${server.address().port}`;
  const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: ["--no-sandbox"] });
  const page = await browser.newPage();
  page.foreign = [];
  page.refused = [];
  page.on("request", (request) => request.url().startsWith(origin) || request.url().startsWith("data:") || page.foreign.push(request.url()));
  page.on("console", (message) => /content security policy/i.test(message.text()) && page.refused.push(message.text()));
  await page.goto(origin);
  const close = page.close.bind(page);
  page.close = async () => {
    await close();
    await browser.close();
    server.close();
  };
  return page;
}
