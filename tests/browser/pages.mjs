// Every page of the server in a real Chromium: at widths from a small phone to a wide screen, light and dark, nothing sticks
// out, axe finds nothing, and a picture of each is left under target/screenshots; by script and without.
// `node pages.mjs SERVER`.
import axe from "axe-core";
import { PASSWORD, account } from "./accounts.mjs";
import { equal, launch, shoot, truth } from "./browser.mjs";

const [base] = process.argv.slice(2);
const WIDTHS = [320, 390, 768, 1280, 1920];
const TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
const browser = await launch();

async function fresh(options = {}) {
  const context = await browser.newContext({ reducedMotion: "reduce", ...options });
  context.setDefaultTimeout(10_000);
  const page = await context.newPage();
  page.faults = [];
  page.on("request", (request) => { if (!request.url().startsWith(base)) page.faults.push(`a request to ${request.url()}`); });
  page.on("pageerror", (error) => page.faults.push(error.message));
  page.on("console", (message) => { if (message.type() === "error" && !message.text().startsWith("Failed to load resource")) page.faults.push(message.text()); });
  return page;
}

const post = async (page, path, data) => (await page.request.post(`${base}User1${path}`, { data })).status();

/** The link of the newest mail of a kind to someone. */
async function link(page, template, to) {
  for (let tries = 0; tries < 500; tries += 1) {
    const mails = await (await page.request.get(`${base}dev/mailbox`, { headers: { accept: "application/json" } })).json();
    const found = mails.find((mail) => mail.template === template && mail.to === to);
    if (found) return found.links[0];
  }
  throw new Error(`${template} did not come to ${to}`);
}

async function look(page, name) {
  for (const colorScheme of ["light", "dark"]) {
    await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
    for (const width of WIDTHS) {
      await page.setViewportSize({ width, height: 800 });
      const wider = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      truth(wider <= 0, `${name} fits ${width} pixels, it is ${wider} wider`);
      await shoot(page, `page-${name}-${width}-${colorScheme}`);
    }
    await page.evaluate(axe.source);
    const { violations } = await page.evaluate((tags) => globalThis.axe.run(document, { runOnly: tags, resultTypes: ["violations"] }), TAGS);
    const told = violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html, failureSummary }) => `${html} ${failureSummary}`).join("\n")}`);
    truth(told.length === 0, `axe has something against ${name}, ${colorScheme}:\n${told.join("\n")}`);
  }
  equal(page.faults, [], `faults of ${name}`);
}

const back = async (page, name) => equal((await page.locator("nav.back a").getAttribute("href")).replace(/\/$/, ""), "https://app.example.com", `the way back of ${name}`);

async function everyPage(page, email) {
  await page.goto(`${base}demo/`);
  const plain = { start: "", problems: "problems", problem: "problems/password_too_weak", missing: "nothing/here", mailbox: "dev/mailbox" };
  await account(page, base, email);
  await post(page, "/forget_password", { email });
  const reset = await link(page, "mail_password_reset", email);
  const another = `other.${email}`;
  const form = { first_name: "Maximiliane-Wilhelmine", last_name: "", email: another, phone: "+12025550117", country_code: "US", password: PASSWORD };
  equal([await post(page, "/create", form), await post(page, "/create", form)], [201, 201], "two registrations of one address");
  const verify = await link(page, "mail_email_verify", another);
  for (const [name, path] of Object.entries(plain)) {
    await page.goto(`${base}${path}`);
    await back(page, name);
    await look(page, name);
  }
  const opened = { verify, "verify-failed": verify.replace(/token=.*/, `token=${"x".repeat(43)}`), reset, "reset-failed": reset.replace(/token=.*/, `token=${"x".repeat(43)}`), "undo-failed": `${base}User1/undo?token=${"x".repeat(43)}` };
  for (const [name, url] of Object.entries(opened)) {
    await page.goto(url);
    await back(page, name);
    await look(page, name);
  }
  return { reset, verify };
}

/** The reset page: the password can be seen, the meter weighs it, and the server has the last word. */
async function resetPage(page, reset, email) {
  await page.goto(reset);
  await page.fill("#password", "password");
  await page.locator("portcullis-password-meter[score='0']").waitFor();
  await page.getByRole("button", { name: "Show password" }).click();
  equal(await page.locator("#password").getAttribute("type"), "text", "the field after a click on the eye");
  await look(page, "reset-typed");
  await page.getByRole("button", { name: "Set new password" }).click();
  await page.locator("#errors").waitFor();
  await look(page, "reset-weak");
  await page.fill("#password", "velvet-orbit-92-thistle");
  await page.locator("portcullis-password-meter[enough]").waitFor();
  await page.getByRole("button", { name: "Set new password" }).click();
  await page.getByRole("heading", { name: "Your new password is set" }).waitFor();
  await back(page, "reset-success");
  await look(page, "reset-success");
  const undo = await link(page, "password_changed", email);
  await page.goto(undo);
  await look(page, "undo");
  await page.fill("#password", "not this one");
  await page.getByRole("button", { name: "Undo the change" }).click();
  await page.locator("#errors").waitFor();
  await look(page, "undo-wrong");
  await page.fill("#password", PASSWORD);
  await page.getByRole("button", { name: "Undo the change" }).click();
  await page.getByRole("heading", { name: "The change is undone" }).waitFor();
  await look(page, "undo-restored");
}

/** Without script the pages do what they have to. */
async function withoutScript(verify) {
  const page = await fresh({ javaScriptEnabled: false, locale: "de-DE" });
  await page.goto(verify);
  equal(await page.getByRole("button", { name: "Show password" }).count(), 0, "buttons that need a script");
  await page.fill("#password", PASSWORD);
  await page.getByRole("button", { name: "Yes, confirm my address" }).click();
  await page.getByRole("heading", { name: "Your e-mail address is confirmed" }).waitFor();
  await page.goto(`${base}nothing/here`);
  await page.getByRole("heading", { name: "Hier ist nichts" }).waitFor();
  await page.context().close();
}

try {
  const page = await fresh();
  const email = "pages@example.com";
  const { reset, verify } = await everyPage(page, email);
  console.log("passed everyPage");
  await resetPage(page, reset, email);
  console.log("passed resetPage");
  await withoutScript(verify);
  console.log("passed withoutScript");
} catch (error) {
  console.log(error.stack);
  process.exitCode = 1;
} finally {
  await browser.close();
}
process.exit();
