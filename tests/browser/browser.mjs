// Starts the machine's Chromium. Every page is checked: it requests files from the server alone, violates no content security
// policy, and throws no error.
import { chromium } from "playwright-core";
import { mkdirSync } from "node:fs";

const FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];

export const launch = () => chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: FLAGS });

/** Opens a page, and lists its faults. */
export async function open(browser, base, { width = 1280, height = 900, scheme = "light", at = "demo/" } = {}) {
  const context = await browser.newContext({ viewport: { width, height }, colorScheme: scheme, reducedMotion: "reduce", locale: "en-GB", acceptDownloads: true });
  context.setDefaultTimeout(10_000);
  const faults = [];
  const requests = [];
  const page = await context.newPage();
  page.on("request", (request) => {
    requests.push(`${request.method()} ${request.url()}`);
    const own = request.url().startsWith(base) || request.url().startsWith("blob:");
    if (!own) faults.push(`a foreign request: ${request.url()}`);
  });
  page.on("pageerror", (error) => faults.push(`thrown: ${error.message}`));
  // error statuses are no fault: tests provoke them
  page.on("console", (message) => {
    const expected = message.text().startsWith("Failed to load resource");
    if (["error", "warning"].includes(message.type()) && !expected) faults.push(`console: ${message.text()}`);
  });
  await page.addInitScript(() => {
    globalThis.violations = [];
    addEventListener("securitypolicyviolation", (event) => globalThis.violations.push(`${event.violatedDirective} ${event.blockedURI}`));
  });
  await page.goto(new URL(at, base).href);
  await page.waitForSelector("html[data-ready][data-rules]");
  return { page, context, faults, requests };
}

/** Nothing of what must not happen has happened. */
export async function blameless({ page, faults }) {
  const all = [...faults, ...(await page.evaluate(() => globalThis.violations)).map((it) => `policy: ${it}`)];
  if (all.length > 0) throw new Error(`the page is not blameless:\n  ${all.join("\n  ")}`);
}

const SHOTS = new URL("../../target/screenshots/", import.meta.url).pathname;
mkdirSync(SHOTS, { recursive: true });

export const shoot = (page, name) => page.screenshot({ path: `${SHOTS}${name}.png`, fullPage: true });

export function equal(got, wanted, what) {
  if (JSON.stringify(got) !== JSON.stringify(wanted)) throw new Error(`${what}: got ${JSON.stringify(got)}, wanted ${JSON.stringify(wanted)}`);
}

export function truth(condition, what) {
  if (!condition) throw new Error(`not so: ${what}`);
}
