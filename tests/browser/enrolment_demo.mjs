// A realm that requires a second factor, in the demo: the code of the mail, then an app, a passkey of Chromium's virtual
// authenticator, or the phone; by keyboard too; axe finds nothing serious, light and dark. `node enrolment_demo.mjs SERVER`.
import axe from "axe-core";
import { look } from "./accessible.mjs";
import { blameless, equal, launch, open } from "./browser.mjs";
import { appCode, fill, letter, news, person, press, serverTime, view } from "./story.mjs";

const [base] = process.argv.slice(2);
const browser = await launch();
const tab = await open(browser, base);
const { page } = tab;
await page.evaluate(axe.source);
const cdp = await page.context().newCDPSession(page);
await cdp.send("WebAuthn.enable");
const options = {
  protocol: "ctap2", ctap2Version: "ctap2_1", transport: "internal", hasResidentKey: true, hasUserVerification: true, isUserVerified: true, automaticPresenceSimulation: false,
};
const { authenticatorId } = await cdp.send("WebAuthn.addVirtualAuthenticator", { options });
const touches = (enabled) => cdp.send("WebAuthn.setAutomaticPresenceSimulation", { authenticatorId, enabled });
const step = async (name) => {
  await page.locator(`#story a[href='#${name}']`).click();
  await view(page, name);
};
const logIn = async (email) => {
  await fill(page, { username: email, password: person(email).password });
  await press(page, "Log in");
};

/** Registers and logs in, up to the code of the mail. */
async function arrive(email) {
  await step("register");
  await fill(page, person(email));
  await press(page, "Register");
  await view(page, "verify");
  await letter(page, "mail_email_verify", email).getByRole("button", { name: /Use the code/ }).click();
  await press(page, "Verify your e-mail");
  await view(page, "login");
  await logIn(email);
  await view(page, "enrol");
  await letter(page, "enrolment_code", email).waitFor();
}

async function confirm(email) {
  await letter(page, "enrolment_code", email).getByRole("button", { name: /Use the code/ }).click();
  await press(page, "Go on");
  await news(page, "The mailbox is yours.");
}

async function backupCodes() {
  equal(await page.locator(".backup-codes code").count(), 10, "backup codes");
  await press(page, "I have written them down");
}

async function logOut() {
  await page.locator("#log-out").click();
  await view(page, "login");
}

// with an app, by keyboard
await arrive("app@example.com");
await look(page, "enrol-code");
await page.locator("main input[name=code]").fill("AAAAAA");
await page.keyboard.press("Enter");
await page.locator("main .alert, main .wrong[data-code]").first().waitFor();
await letter(page, "enrolment_code", "app@example.com").getByRole("button", { name: /Use the code/ }).click();
await page.locator("main input[name=code]").focus();
await page.keyboard.press("Enter");
await news(page, "The mailbox is yours.");
await page.locator("svg.qr").waitFor();
await look(page, "enrol-choice");
const key = (await page.locator(".app-key").textContent()).replaceAll(" ", "");
await page.locator("main input[name=otp]").focus();
await page.keyboard.type(appCode(key, await serverTime(page), 0));
await page.keyboard.press("Enter");
await view(page, "app");
await look(page, "enrol-codes");
await backupCodes();
await letter(page, "mfa_changed", "app@example.com").waitFor();

// the last factor stays
await fill(page, { password: person("").password, otp: appCode(key, await serverTime(page), 1) });
await press(page, "Remove the app");
await page.locator("main", { hasText: "this is the last one" }).waitFor();
await logOut();

// with a passkey; its owner does not want one at first
await arrive("passkey@example.com");
await confirm("passkey@example.com");
await cdp.send("WebAuthn.setUserVerified", { authenticatorId, isUserVerified: false });
await touches(true);
await press(page, "Log in with a new passkey");
await news(page, "No passkey was made.");
await cdp.send("WebAuthn.setUserVerified", { authenticatorId, isUserVerified: true });
await press(page, "Log in with a new passkey");
await view(page, "passkeys");
await backupCodes();
await page.locator(".session-name", { hasText: "This browser" }).waitFor();
await touches(false);
await logOut();
await logIn("passkey@example.com");
await view(page, "factor");

// whoever comes to the view without a login gets the login
await page.evaluate(() => { location.hash = "#enrol"; });
await page.locator("main input[name=username]").waitFor();
await blameless(tab);
await browser.close();
console.log("passed a required factor in the demo");
