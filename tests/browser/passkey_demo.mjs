// Passkeys and remembered devices in the demo, with Chromium's virtual authenticator: added, used at the login and as the second
// factor, renamed, removed, by keyboard too; axe finds nothing serious, light and dark. `node passkey_demo.mjs SERVER`.
import axe from "axe-core";
import { look } from "./accessible.mjs";
import { blameless, equal, launch, open, truth } from "./browser.mjs";
import { arrive, fill, letter, news, press, view } from "./story.mjs";

const EMAIL = `passkey@example.com`;
const PASSWORD = "lantern-q7x-meadow-4410";
const [base] = process.argv.slice(2);
const browser = await launch();
const tab = await open(browser, base);
const { page } = tab;
await page.evaluate(axe.source);
const cdp = await page.context().newCDPSession(page);
await cdp.send("WebAuthn.enable");
const options = {
  protocol: "ctap2", ctap2Version: "ctap2_1", transport: "internal", hasResidentKey: true, hasUserVerification: true, isUserVerified: true, automaticPresenceSimulation: true,
};
const { authenticatorId } = await cdp.send("WebAuthn.addVirtualAuthenticator", { options });
/** Whether somebody touches the authenticator when it asks. */
const touches = (enabled) => cdp.send("WebAuthn.setAutomaticPresenceSimulation", { authenticatorId, enabled });
const step = async (name) => {
  await page.locator(`#story a[href='#${name}']`).click();
  await view(page, name);
};
const logOut = async () => {
  await page.locator("#log-out").click();
  await view(page, "login");
};

await arrive(page, EMAIL);
await step("passkeys");
await look(page, "passkeys-none");
await fill(page, { new_name: "My laptop" });
await press(page, "Add a passkey");
await news(page, "Added.");
equal(await page.locator(".backup-codes code").count(), 10, "backup codes");
await look(page, "passkeys-codes");
await press(page, "I have written them down");
await page.locator(".session-name", { hasText: "My laptop" }).waitFor();
await letter(page, "mfa_changed", EMAIL).waitFor();
await look(page, "passkeys-one");

// by keyboard: the button leads to the field, and Enter saves
await page.getByRole("button", { name: "Rename: My laptop" }).focus();
await page.keyboard.press("Enter");
await page.locator("main .field-name input").waitFor();
await page.waitForFunction(() => document.activeElement.name === "name");
await page.keyboard.press("ControlOrMeta+A");
await page.keyboard.type("Old laptop");
await page.keyboard.press("Enter");
await news(page, "Renamed.");
await page.locator(".session-name", { hasText: "Old laptop" }).waitFor();

// conditional UI: the browser offers the passkey in the field, and choosing it logs in
await logOut();
await view(page, "profile");
truth(await page.locator(".facts", { hasText: "passkey" }).count(), "logged in where the e-mail is typed");

// without a touch: the password, and the passkey as the second factor
await touches(false);
await logOut();
equal(await page.locator("main input[name=username]").getAttribute("autocomplete"), "username webauthn", "the field of the offer");
await look(page, "login-passkey");
await fill(page, { username: EMAIL, password: PASSWORD });
await press(page, "Log in");
await view(page, "factor");
await look(page, "factor-passkey");
await touches(true);
await page.getByLabel("Remember this device").check();
await press(page, "Use a passkey");
await view(page, "profile");
await step("sessions");
await page.locator(".session.remembered").waitFor();
await look(page, "devices");

// a remembered device asks for no second factor
await touches(false);
await logOut();
await fill(page, { username: EMAIL, password: PASSWORD });
await press(page, "Log in");
await view(page, "profile");
await step("sessions");
await page.locator(".session.remembered").getByRole("button").click();
await news(page, "Forgotten.");
equal(await page.locator(".session.remembered").count(), 0, "remembered devices");

// the button of the login; then the passkey, shown a moment ago, can be removed
await logOut();
await touches(true);
await press(page, "Log in with a passkey").catch(() => null);
await view(page, "profile");
await step("passkeys");
await press(page, "Add a passkey");
await news(page, "No passkey was made.");
await page.getByRole("button", { name: "Remove: Old laptop" }).click();
await news(page, "Removed.");
await page.locator("main", { hasText: "You have none yet." }).waitFor();
await blameless(tab);
await browser.close();
console.log("passed passkeys in the demo");
