// Inside: an authenticator app and its backup codes.
import * as api from "./api.js";
import { h } from "./dom.js";
import { action, field, form } from "./forms.js";
import { page } from "./page.js";
import { backupCodes } from "./passkeys.js";

/** The password, where the form has asked for it because the login is not recent. */
const given = ({ password }) => (password ? { password } : {});

/** A field for six digits of an app or the ten characters of a backup code. */
export const codeField = (label, hint = null) => field({
  name: "otp", label, hint, maxlength: 16, required: true, autocapitalize: "characters", autocomplete: "one-time-code", spellcheck: "false", class: "typed-code",
});

export function authenticator(app) {
  const { mfa } = app.state.me;
  const parts = app.state.backupCodes ? backupCodes(app) : mfa.totp ? isOn(app, mfa) : app.state.enrolment ? firstCode(app) : isOff(app);
  return page("Authenticator app", "An app on your phone makes a new code every 30 seconds, without a text message that somebody else could get.", parts);
}

function isOff(app) {
  const made = form({ name: "app-begin", fields: [], submit: "Add an authenticator app", send: async (values) => {
    const { body } = await api.beginApp(given(values));
    app.state.enrolment = body;
    app.show("Scan the code, then type the first code of the app.");
  } });
  return [made.root];
}

// The page's policy has neither pictures from data: URLs nor parsed HTML: the outline is taken out of the SVG document.
function qrCode(qr) {
  const element = (name, attributes) => {
    const made = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    return made;
  };
  const attribute = (name) => qr.match(new RegExp(` ${name}="([^"]*)"`))[1];
  const picture = element("svg", { viewBox: attribute("viewBox"), class: "qr", role: "img", "aria-label": "The key as a QR code" });
  picture.append(element("path", { d: attribute("d"), fill: "#000" }));
  return picture;
}

/** The key of an app, for its camera and for typing. */
export const keyOf = ({ secret, qr }) => [qrCode(qr), h("p", {}, "Or type this key: ", h("code", { class: "app-key" }, secret.match(/.{4}/g).join(" ")))];

function firstCode(app) {
  const otp = codeField("First code of the app");
  const made = form({ name: "app-confirm", fields: [otp], submit: "Switch it on", send: async (values) => {
    const { body } = await api.confirmApp(values.otp.trim());
    app.state.enrolment = null;
    app.state.backupCodes = body.backup_codes;
    app.keep(await api.profile());
    app.expectMail();
    app.show("On. Every other session has ended.");
  } });
  const cancel = action("Start over", async () => {
    app.state.enrolment = null;
    app.show();
  });
  return [...keyOf(app.state.enrolment), made.root, h("div", { class: "actions" }, cancel)];
}

function isOn(app, mfa) {
  const proof = [
    field({ name: "password", label: "Your password", type: "password", autocomplete: "current-password", required: true }),
    codeField("Code of the app", "Or one of your backup codes. Nobody who finds your screen unlocked should be able to go on here."),
  ];
  const newer = action("Make new backup codes", async () => {
    const { password, otp } = made.values();
    await api.stepUp(password, otp.trim());
    app.state.backupCodes = (await api.newBackupCodes()).body.backup_codes;
    app.keep(await api.profile());
    app.expectMail();
    app.show("The older ones work no more.");
  });
  const made = form({ name: "app-off", fields: proof, submit: "Remove the app", danger: true, extra: newer, send: async (values) => {
    await api.stepUp(values.password, values.otp.trim());
    await api.removeApp();
    app.keep(await api.profile());
    app.expectMail();
    app.show("Removed.");
  } });
  return [h("p", {}, `The app is on, and ${mfa.backup_codes} backup codes are left.`), made.root];
}
