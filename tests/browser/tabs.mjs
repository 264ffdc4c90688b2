// The page helper of the npm package against a real server: several tabs, one refresh. `node tabs.mjs SERVER`. The
// process that starts it moves the server's clock when standard output asks for it.
import { createInterface } from "node:readline";
import { PASSWORD, account } from "./accounts.mjs";
import { equal, launch } from "./browser.mjs";

const [base] = process.argv.slice(2);
const answers = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const browser = await launch();

/** The server's clock goes on, and with it that of the pages. */
async function advance(tabs, seconds) {
  console.log(`advance ${seconds}`);
  await answers.next();
  for (const tab of tabs) await tab.evaluate((ms) => { const { now } = Date; Date.now = () => now() + ms; }, seconds * 1000);
}

async function open(context, delivery) {
  const tab = await context.newPage();
  tab.exchanges = 0;
  tab.on("request", (request) => { if (request.url().endsWith("/token")) tab.exchanges += 1; });
  await tab.goto(`${base}demo/`);
  await tab.evaluate(async (how) => {
    const { SharedTokens } = await import("./pkg/api/tokens.js");
    globalThis.tokens = new SharedTokens({ realm: "../User1", delivery: how });
    globalThis.ended = 0;
    globalThis.tokens.addEventListener("ended", () => { globalThis.ended += 1; });
  }, delivery);
  return tab;
}

const token = (tab) => tab.evaluate(() => globalThis.tokens.token());
const profile = (tab) => tab.evaluate(async () => (await globalThis.tokens.fetch("../User1")).status);
const exchanges = (tabs) => tabs.reduce((sum, tab) => sum + tab.exchanges, 0);

async function inMode(delivery) {
  const context = await browser.newContext();
  context.setDefaultTimeout(10_000);
  const tabs = [await open(context, delivery), await open(context, delivery)];
  const [first] = tabs;
  const email = `tabs.${delivery}@example.com`;
  await account(first, base, email);
  equal(await profile(first), 401, "before the login");
  const before = exchanges(tabs);
  await first.evaluate(([name, password]) => globalThis.tokens.logIn(name, password), [email, PASSWORD]);

  // a tab that was there, and one that is opened later
  tabs.push(await open(context, delivery));
  for (const tab of tabs) equal(await profile(tab), 200, "a tab of someone who is logged in");
  equal(exchanges(tabs), before, "exchanges before the access token has run out");

  // together
  await advance(tabs, 1800);
  const fresh = new Set(await Promise.all(tabs.map(token)));
  equal([fresh.size, exchanges(tabs) - before], [1, 1], "tokens and exchanges of three tabs at once");
  for (const tab of tabs) equal(await profile(tab), 200, "after the refresh");

  // one after the other, further apart than the server forgives
  await advance(tabs, 1800);
  await token(tabs[1]);
  await advance(tabs, 90);
  for (const tab of tabs) equal(await profile(tab), 200, "90 seconds later");
  equal(exchanges(tabs) - before, 2, "exchanges by then");

  // a changed password ends every session, and gives all tabs the new one
  await first.evaluate((password) => globalThis.tokens.changePassword(password, "velvet-orbit-92-thistle"), PASSWORD);
  for (const tab of tabs) equal(await profile(tab), 200, "after a changed password");

  // the logout of one is that of all
  await first.evaluate(() => globalThis.tokens.logOut());
  for (const tab of tabs) {
    await tab.waitForFunction(() => globalThis.ended === 1 && !globalThis.tokens.loggedIn);
    equal(await profile(tab), 401, "after the logout");
  }
  await context.close();
}

/** In cookie mode a new tab needs no other one. */
async function afterAReload() {
  const context = await browser.newContext();
  const tab = await open(context, "cookie");
  await account(tab, base, "reload@example.com");
  await tab.evaluate(([name, password]) => globalThis.tokens.logIn(name, password), ["reload@example.com", PASSWORD]);
  await tab.close();
  const later = await open(context, "cookie");
  equal(await profile(later), 200, "a new tab by the cookie");
  equal(later.exchanges, 1, "its exchanges");
  await context.close();
}

try {
  for (const mode of ["body", "cookie"]) {
    await inMode(mode);
    console.log(`passed ${mode}`);
  }
  await afterAReload();
} catch (error) {
  console.log(error.stack);
  process.exitCode = 1;
} finally {
  await browser.close();
}
process.exit();
