// One person's whole story: register, prove the address, log in, profile, second factor, a new address, another device,
// a forgotten password, export, delete.
import { createHmac } from "node:crypto";
import { readFileSync } from "node:fs";
import { blameless, equal, open, shoot, truth } from "./browser.mjs";

const GOOD = "lantern-q7x-meadow-4410";
const BETTER = "velvet-orbit-92-thistle";

export const press = (page, name) => page.locator("main").getByRole("button", { name, exact: true }).click();
export const view = (page, name) => page.waitForSelector(`main[data-view=${name}]`);
export const news = (page, words) => page.locator(".notice", { hasText: words }).waitFor();
export const fill = async (page, values) => {
  for (const [name, value] of Object.entries(values)) {
    const field = page.locator(`main .field-${name} [name]`);
    if (name === "country_code") await field.selectOption(value);
    else await field.fill(value);
  }
};
/** The newest message of a kind to someone. */
export const letter = (page, template, to) => page.locator(`.letter[data-template=${template}][data-to="${to}"]`).first();
const wrong = (page, name) => page.locator(`main .field-${name} .wrong`).getAttribute("data-code");

export const person = (email) => ({ first_name: "Máire", last_name: "O’Brien", email, country_code: "US", phone: "+1 202 555 0117", password: GOOD });

/** Registers, proves the address with the mailed code, logs in. */
export async function arrive(page, email) {
  await fill(page, person(email));
  await press(page, "Register");
  await view(page, "verify");
  await letter(page, "mail_email_verify", email).getByRole("button", { name: /Use the code/ }).click();
  await press(page, "Verify your e-mail");
  await view(page, "login");
  await fill(page, { username: email, password: GOOD });
  await press(page, "Log in");
  await view(page, "profile");
}

export async function story({ browser, base, advance }) {
  const tab = await open(browser, base);
  const { page } = tab;
  truth(await page.evaluate(() => document.documentElement.dataset.rules === "browser"), "the package's rules are in the browser");
  await wrongAtFirst(tab);
  await fromMailToAccount(tab);
  await refreshed(tab, advance);
  await profile(page);
  await secondFactor(page);
  await authenticator(page, advance);
  await newAddress(page);
  await twoDevices(tab, browser, base);
  await forgotten(page);
  await takeAndGo(page);
  await storageIsEmpty(page);
  await blameless(tab);
  await tab.context.close();
}

/** What is wrong is said at its field: by the browser while typing, by the server with the same codes. */
async function wrongAtFirst({ page, requests }) {
  const asked = requests.length;
  await fill(page, { ...person("no address"), first_name: "Ma\u202eire", phone: "+44 20 7946 0000", password: "password" });
  await page.locator("main input[name=password]").blur();
  await page.locator("main .field-password .wrong[data-code]").waitFor();
  for (const [name, code] of [["first_name", "name_forbidden_character"], ["email", "email_invalid"], ["phone", "phone_country_mismatch"], ["password", "password_too_weak"]]) {
    equal(await wrong(page, name), code, `the browser about ${name}`);
  }
  truth(!requests.slice(asked).some((line) => line.startsWith("POST")), "nothing was sent to find that out");
  const meter = page.locator("portcullis-password-meter");
  const score = () => meter.evaluate((element) => (element.shadowRoot ?? element).querySelector("[role=meter]")?.getAttribute("aria-valuenow") ?? element.getAttribute("aria-valuenow"));
  truth(Number(await score()) < 3, "the meter finds `password` weak");
  await shoot(page, "story-wrong");
  await press(page, "Register");
  equal(await page.evaluate(() => document.activeElement.name), "first_name", "the focus goes to the first field that is wrong");
  await fill(page, { ...person("story@example.com"), password: "MáireO’Brien" });
  await page.locator("main input[name=password]").blur();
  truth(Number(await score()) < 3, "the meter holds their own names against it");
  await fill(page, { password: GOOD });
  truth(Number(await score()) >= 3, "the meter likes a good one");
  // a browser that checks nothing gets the same codes from the server, at the same fields
  await page.route("**/create", async (route) => {
    const sent = route.request().postDataJSON();
    await route.continue({ postData: JSON.stringify({ ...sent, email: "no address", phone: "1", password: "password" }) });
  }, { times: 1 });
  await press(page, "Register");
  await page.locator("main .field-email .wrong[data-code=email_invalid]").waitFor();
  equal(await wrong(page, "phone"), "phone_invalid", "the server about phone");
  await page.locator("main .field-password .wrong[data-code]").waitFor();
}

/** The link of the mail asks before it does anything; a right password before that says what is missing. */
async function fromMailToAccount({ page }) {
  const email = "story@example.com";
  await fill(page, person(email));
  await press(page, "Register");
  await view(page, "verify");
  const mail = letter(page, "mail_email_verify", email);
  await mail.waitFor();
  await page.locator("#story a[href='#login']").click();
  await view(page, "login");
  await fill(page, { username: email, password: GOOD });
  await press(page, "Log in");
  await view(page, "verify");
  await news(page, "not verified yet");
  await fill(page, { code: "aaaaaa" });
  await press(page, "Verify your e-mail");
  await page.locator(".alert", { hasText: "wrong, was used, or has expired" }).waitFor();
  await mail.getByRole("button", { name: /Follow the link/ }).click();
  await page.getByRole("heading", { name: "Confirm your address" }).waitFor();
  await shoot(page, "story-link");
  await press(page, "Yes, that was me");
  await view(page, "login");
  await fill(page, { username: email, password: "not it, sorry" });
  await press(page, "Log in");
  await page.locator(".alert", { hasText: "The e-mail or the password is wrong" }).waitFor();
  await fill(page, { password: GOOD });
  await press(page, "Log in");
  await view(page, "profile");
  await page.getByRole("heading", { name: "Hello, Máire" }).waitFor();
  equal(await page.evaluate(() => document.documentElement.dataset.gate), "open", "the gate");
}

/** An access token that has run out is renewed once, by one exchange, however many requests wait for it. */
async function refreshed({ page, requests }, advance) {
  await advance(3600);
  const before = requests.filter((line) => line.endsWith("/token")).length;
  await page.locator("#story a[href='#sessions']").click();
  await page.locator(".session.current").waitFor();
  equal(requests.filter((line) => line.endsWith("/token")).length - before, 1, "exchanges of the refresh token");
}

async function profile(page) {
  await page.locator("#story a[href='#profile']").click();
  await view(page, "profile");
  await fill(page, { last_name: "Ní Bhriain" });
  await press(page, "Save");
  await news(page, "Saved");
  equal(await page.locator("main input[name=last_name]").inputValue(), "Ní Bhriain", "the last name");
  // what another tab changed is not overwritten unseen
  await page.route("**/update", (route) => route.continue({ headers: { ...route.request().headers(), "if-match": '"v0"' } }), { times: 1 });
  await fill(page, { last_name: "Ó Briain" });
  await press(page, "Save");
  await page.locator(".alert", { hasText: "changed elsewhere" }).waitFor();
  await press(page, "Save");
  await news(page, "Saved");
}

async function secondFactor(page) {
  await page.locator("#story a[href='#phone']").click();
  await view(page, "phone");
  await press(page, "Send a code to +12025550117");
  await letter(page, "otp", "+12025550117").getByRole("button", { name: /Use the code/ }).click();
  await press(page, "Verify the phone");
  await news(page, "The phone is verified");
  // the login is an hour old, so that the password is asked for
  await press(page, "Switch it on");
  await page.locator(".alert", { hasText: "more than 15 minutes ago" }).waitFor();
  await fill(page, { password: "not this one" });
  await press(page, "Switch it on");
  await page.locator("main .field-password .wrong[data-code=wrong_password]").waitFor();
  await fill(page, { password: GOOD });
  await press(page, "Switch it on");
  await news(page, "SMS is on.");
  await page.locator("#log-out").click();
  await view(page, "login");
  equal(await page.evaluate(() => document.documentElement.dataset.gate), "shut", "the gate");
  await fill(page, { username: "story@example.com", password: GOOD });
  await press(page, "Log in");
  await view(page, "factor");
  await fill(page, { otp: "12 345" });
  await press(page, "Go on");
  equal(await wrong(page, "otp"), "otp_malformed", "a code that is none");
  await letter(page, "mfa_otp", "+12025550117").getByRole("button", { name: /Use the code/ }).click();
  await shoot(page, "story-factor");
  await press(page, "Go on");
  await view(page, "profile");
  await page.locator("#story a[href='#phone']").click();
  await view(page, "phone");
  await fill(page, { password: "not this one" });
  await press(page, "Switch it off");
  await page.locator("main .field-password .wrong[data-code=wrong_password]").waitFor();
  await fill(page, { password: GOOD });
  await press(page, "Switch it off");
  await news(page, "Off.");
}

/** The code of an app (RFC 6238), so many steps after a time in milliseconds. */
export function appCode(key, now, steps) {
  const bits = [...key].map((letter) => "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".indexOf(letter).toString(2).padStart(5, "0")).join("");
  const bytes = Buffer.from(bits.match(/.{8}/g).map((byte) => Number.parseInt(byte, 2)));
  const counter = Buffer.alloc(8);
  counter.writeBigUInt64BE(BigInt(Math.floor(now / 30_000) + steps));
  const digest = createHmac("sha1", bytes).update(counter).digest();
  const number = digest.readUInt32BE(digest.at(-1) & 15) & 0x7fffffff;
  return String(number % 1_000_000).padStart(6, "0");
}

/** The server's clock stands still: the newest message has its time. */
export const serverTime = (page) => page.evaluate(async () => {
  const answer = await fetch("../dev/mailbox", { headers: { accept: "application/json" } });
  return Date.parse((await answer.json())[0].at);
});

/** An app is added, asked for at the next login, and removed with a backup code. */
async function authenticator(page, advance) {
  await page.locator("#story a[href='#app']").click();
  await view(page, "app");
  await press(page, "Add an authenticator app");
  await news(page, "Scan the code");
  await page.locator("svg.qr").waitFor();
  await shoot(page, "story-app-key");
  const key = (await page.locator(".app-key").textContent()).replaceAll(" ", "");
  const now = await serverTime(page);
  await fill(page, { otp: appCode(key, now, 0) });
  await press(page, "Switch it on");
  await news(page, "On.");
  const codes = await page.locator(".backup-codes code").allTextContents();
  equal(codes.length, 10, "backup codes");
  await shoot(page, "story-backup-codes");
  await press(page, "I have written them down");
  await letter(page, "mfa_changed", "story@example.com").waitFor();
  await page.locator("#log-out").click();
  await view(page, "login");
  await fill(page, { username: "story@example.com", password: GOOD });
  await press(page, "Log in");
  await view(page, "factor");
  await shoot(page, "story-app-factor");
  await fill(page, { otp: appCode(key, now, 1) });
  await press(page, "Go on");
  await view(page, "profile");
  await page.locator("#story a[href='#app']").click();
  await view(page, "app");
  await fill(page, { password: GOOD, otp: codes[0] });
  await press(page, "Remove the app");
  await news(page, "Removed.");
  await letter(page, "backup_code_used", "story@example.com").waitFor();
  // the limit of logins is filled again
  await advance(60);
}

async function newAddress(page) {
  await page.locator("#story a[href='#address']").click();
  await view(page, "address");
  await fill(page, { email: "story.two@example.com" });
  await press(page, "Ask for the change");
  await news(page, "A link was sent to the new address");
  await page.locator(".pending", { hasText: "story.two@example.com" }).waitFor();
  await letter(page, "email_change_requested", "story@example.com").waitFor();
  await letter(page, "email_change_confirm", "story.two@example.com").getByRole("button", { name: /Follow the link/ }).click();
  await page.getByRole("heading", { name: "Confirm the new address" }).waitFor();
  await press(page, "Yes, that was me");
  await letter(page, "email_changed", "story@example.com").waitFor();
  // after a change of the address either the session goes on or a login is needed: the new address is valid in both cases
  if (await page.locator("main[data-view=login]").count()) {
    await fill(page, { username: "story.two@example.com", password: GOOD });
    await press(page, "Log in");
  }
  await view(page, "profile");
  await page.locator(".facts", { hasText: "story.two@example.com" }).waitFor();
}

/** Another browser's session is seen, ended, and dead at its next request. */
async function twoDevices({ page }, browser, base) {
  const other = await open(browser, base, { width: 390, height: 844, scheme: "dark", at: "demo/#login" });
  await fill(other.page, { username: "story.two@example.com", password: GOOD });
  await press(other.page, "Log in");
  await view(other.page, "profile");
  await page.locator("#story a[href='#sessions']").click();
  await page.locator(".session:not(.current)").first().waitFor();
  await shoot(page, "story-sessions");
  const rows = await page.locator(".session").count();
  await page.locator(".session:not(.current)").first().getByRole("button").click();
  await news(page, "The session has ended");
  equal(await page.locator(".session").count(), rows - 1, "the sessions that are left");
  await other.page.locator("#story a[href='#sessions']").click();
  await view(other.page, "login");
  await news(other.page, "This session has ended");
  await blameless(other);
  await other.context.close();
}

async function forgotten(page) {
  await page.locator("#story a[href='#password']").click();
  await view(page, "password");
  await fill(page, { current_password: "not this one", password: BETTER });
  await press(page, "Change the password");
  await page.locator("main .field-current_password .wrong[data-code=wrong_password]").waitFor();
  await page.locator("#log-out").click();
  await view(page, "login");
  await page.locator("main").getByRole("link", { name: "Forgot it?" }).click();
  await view(page, "forgot");
  await fill(page, { email: "story.two@example.com" });
  await press(page, "Send a link");
  await news(page, "If the address has an account");
  await letter(page, "mail_password_reset", "story.two@example.com").getByRole("button", { name: /Follow the link/ }).click();
  await view(page, "reset");
  await fill(page, { password: BETTER });
  await press(page, "Set the password");
  await view(page, "login");
  await fill(page, { username: "story.two@example.com", password: GOOD });
  await press(page, "Log in");
  await page.locator(".alert", { hasText: "The e-mail or the password is wrong" }).waitFor();
  await fill(page, { password: BETTER });
  await press(page, "Log in");
  await view(page, "profile");
}

async function takeAndGo(page) {
  await page.locator("#story a[href='#data']").click();
  await view(page, "data");
  const [download] = await Promise.all([page.waitForEvent("download"), press(page, "Download everything as JSON")]);
  const taken = JSON.parse(readFileSync(await download.path(), "utf8"));
  equal(taken.profile.email, "story.two@example.com", "the export's e-mail");
  truth(taken.events.length > 5 && taken.sessions.length >= 1, "the export has events and sessions");
  await fill(page, { password: GOOD });
  await press(page, "Delete my account");
  await page.locator("main .field-password .wrong[data-code=wrong_password]").waitFor();
  await fill(page, { password: BETTER });
  await press(page, "Delete my account");
  await view(page, "register");
  await news(page, "The account was deleted.");
  equal(await page.evaluate(() => document.documentElement.dataset.gate), "shut", "the gate");
}

/** No token was ever put where another script, a restored tab or a copied profile would find it. */
async function storageIsEmpty(page) {
  const kept = await page.evaluate(async () => [Object.keys(localStorage), Object.keys(sessionStorage), document.cookie, (await indexedDB.databases()).length, (await caches.keys()).length]);
  equal(kept, [[], [], "", 0, 0], "what the page keeps");
}
