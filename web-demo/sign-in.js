// Before logging in: register, verify the e-mail, log in, the second factor, a forgotten password.
import * as api from "./api.js";
import { countryOptions } from "./countries.js";
import { h } from "./dom.js";
import { codeField } from "./factors.js";
import * as passkeys from "./passkeys.js";
import { action, field, form, put } from "./forms.js";
import { checks } from "./rules.js";
import { page } from "./page.js";


const link = (name, words) => h("a", { href: `#${name}` }, words);
const typedCode = { autocapitalize: "characters", autocomplete: "one-time-code", spellcheck: "false", class: "typed-code" };

/** The fields of a person; what they hold already, where they do. */
export function personFields(known = {}) {
  return [
    field({ name: "first_name", label: "First name", value: known.first_name ?? "", autocomplete: "given-name", required: true, check: checks.name, after: ["password"] }),
    field({ name: "last_name", label: "Last name", value: known.last_name ?? "", autocomplete: "family-name", hint: "Leave it empty if you have one name.", check: checks.name, after: ["password"] }),
  ];
}

export function phoneFields(known = {}) {
  return [
    field({ name: "country_code", label: "Country of the phone", value: known.country ?? "", options: countryOptions(), autocomplete: "country", required: true, check: checks.country, after: ["phone"] }),
    field({ name: "phone", label: "Phone", type: "tel", value: known.phone ?? "", autocomplete: "tel", required: true, hint: "With + and the country’s code, e.g. +1 202 555 0123.", check: checks.phone }),
  ];
}

export const newPassword = (name, label, words) =>
  field({ name, label, type: "password", autocomplete: "new-password", required: true, check: checks.password(words), meter: words });

export function register(app) {
  const words = (all) => ({ names: [all.first_name, all.last_name], email: all.email });
  const fields = [
    ...personFields(),
    field({ name: "email", label: "E-mail", type: "email", autocomplete: "email", required: true, check: checks.email, after: ["password"] }),
    ...phoneFields(),
    newPassword("password", "Password", words),
  ];
  const example = h("button", { type: "button", class: "quiet", click: () => fillIn(made) }, "Fill in an example");
  const made = form({ name: "register", fields, submit: "Register", extra: example, send: async (values) => {
    await api.register(values);
    app.state.email = values.email.trim();
    app.expectMail();
    app.go("verify", "Registered. An e-mail with a link and a code was sent.");
  } });
  return page("Register", "These are the server's own rules, in the browser: it accepts what is green.", made.root,
    h("p", { class: "aside" }, "Have an account? ", link("login", "Log in"), "."));
}

// Fills in an invented person, with a phone number and a domain that are reserved for examples.
function fillIn({ of }) {
  const pick = (list) => list[crypto.getRandomValues(new Uint32Array(1))[0] % list.length];
  const letters = (many) => Array.from({ length: many }, () => pick("abcdefghjkmnpqrstuvwxyz23456789")).join("");
  const [first, last] = pick([["Ada", "Lovelace"], ["Nasir", "al-Tusi"], ["Zoë", "Brontë"], ["Emmy", "Noether"], ["José", "Ñíguez"], ["Máire", "O’Brien"], ["紫", "藤原"], ["Wangari", "Maathai"]]);
  const person = {
    first_name: first, last_name: last,
    email: `${pick(["falcon", "heron", "otter", "lynx", "marten"])}.${letters(4)}@example.com`,
    country_code: "US", phone: `+1 202 555 01${10 + Number(pick("0123456789"))}`,
    password: `${pick(["umbra", "quartz", "lantern", "thistle"])}-${letters(5)}-${pick(["orbit", "meadow", "velvet", "cinder"])}-${letters(3)}`,
  };
  for (const [name, value] of Object.entries(person)) {
    of(name).input.dispatchEvent(new Event("focus"));
    put(of(name), value);
    of(name).input.dispatchEvent(new Event("blur"));
  }
  of("password").input.focus();
}

export function verify(app) {
  if (app.state.link) return confirmLink(app);
  const email = field({ name: "email", label: "E-mail", type: "email", value: app.state.email ?? "", autocomplete: "email", required: true, check: checks.email });
  const code = field({ name: "code", label: "Code from the mail", autocomplete: "one-time-code", maxlength: 12, required: true, check: checks.code, hint: "Six letters and digits; upper or lower case is the same.", ...typedCode });
  const resend = action("Send it again", async () => {
    await api.resend(email.input.value.trim());
    app.expectMail();
    app.say("If a registration of this address is pending, its e-mail was sent again.");
  });
  const made = form({ name: "verify", fields: [email, code], submit: "Verify your e-mail", extra: resend, send: async (values) => {
    await api.verifyCode(values.email.trim(), values.code.trim());
    app.state.email = values.email.trim();
    app.expectMail();
    app.go("login", "The e-mail is verified. The account exists now.");
  } });
  app.takeCode = (message) => {
    if (message.channel !== "email") return false;
    put(email, message.to);
    put(code, message.code);
    code.input.focus();
    return true;
  };
  return page("Verify your e-mail", "Type the code from the e-mail, or follow its link. Until then the registration is pending, and there is no account.", made.root,
    h("p", { class: "aside" }, "Nothing there? Or was that address wrong? ", link("register", "Register again"), "."));
}

// The view of a mailed link: it asks, because mail scanners open links and must not verify by that.
function confirmLink(app) {
  const { token, change } = app.state.link;
  const done = (name, words) => { app.state.link = null; app.expectMail(); app.go(name, words); };
  const yes = form({ name: "confirm", fields: [], submit: "Yes, that was me", send: async () => {
    await api.verifyLink(token);
    if (!change) return done("login", "The e-mail is verified. The account exists now.");
    if (api.isLoggedIn()) app.keep(await api.profile());
    return done(api.isLoggedIn() ? "profile" : "login", "The new e-mail is in use from now on.");
  } });
  const no = change ? null : action("That was not me", async () => {
    await api.rejectLink(token);
    done("register", "The registration was deleted.");
  }, { class: "quiet danger-text" });
  const title = change ? "Confirm the new address" : "Confirm your address";
  return page(title, "You followed the link of an e-mail. Opening it changes nothing; the button does.", yes.root, no && h("div", { class: "second-thought" }, no));
}

export function login(app) {
  void passkeys.offer(app);
  const email = field({ name: "username", label: "E-mail", type: "email", value: app.state.email ?? "", autocomplete: "username webauthn", required: true });
  const password = field({ name: "password", label: "Password", type: "password", autocomplete: "current-password", required: true });
  const made = form({ name: "login", fields: [email, password], submit: "Log in", extra: link("forgot", "Forgot it?"), send: async (values) => {
    app.state.email = values.username.trim();
    try {
      await api.logIn(values.username.trim(), values.password);
    } catch (problem) {
      if (problem.code === "mfa_required") return askFactor(app, problem);
      if (problem.code === "mfa_enrolment_required") {
        app.state.enrolling = { token: problem.body.enrolment_token };
        app.expectMail();
        return app.go("enrol", "The password is right. A code was mailed.");
      }
      if (problem.code === "email_not_verified") {
        return app.go("verify", "The password is right, but the e-mail is not verified yet. The code is in the mailbox.");
      }
      throw problem;
    }
    await app.enter();
  } });
  return page("Log in", "The answer to a wrong password and to an unknown address is the same, byte for byte.", made.root,
    passkeys.loginButton(app),
    cookieSwitch(app),
    h("p", { class: "aside" }, "No account yet? ", link("register", "Register"), "."));
}

/** To the view of the second factor, for a problem that asks for one. */
export function askFactor(app, problem) {
  app.state.challenge = problem.body.mfa_token;
  app.state.methods = problem.body.methods;
  app.state.passkeyOptions = problem.body.passkey_options ?? null;
  app.state.remember = false;
  app.expectMail();
  const [strongest] = app.state.methods;
  if (strongest === "passkey") return app.go("factor", "The password is right. Use your passkey, or a code.");
  return app.go("factor", strongest === "totp" ? "The password is right. The app has the code." : "The password is right. A code was sent by SMS.");
}

/** Where the refresh token goes with the next login. */
function cookieSwitch(app) {
  const change = async (event) => {
    const on = event.target.checked;
    await api.keepTokensInCookie(on);
    app.say(on ? "Cookie mode: the refresh token goes into a cookie that no script can read." : "Body mode: the refresh token stays in this page’s memory.");
  };
  return h("div", { class: "switch" },
    h("input", { type: "checkbox", id: "tokens-in-cookie", checked: api.tokensInCookie(), "aria-describedby": "tokens-in-cookie-hint", change }),
    h("label", { for: "tokens-in-cookie" }, "Keep me logged in after a reload"),
    h("p", { class: "hint", id: "tokens-in-cookie-hint" }, "The server then puts the refresh token into an HttpOnly cookie."));
}

/** Whether the next login from this device needs no second factor. */
const rememberSwitch = (app) => h("div", { class: "switch" },
  h("input", { type: "checkbox", id: "remember-device", "aria-describedby": "remember-device-hint", change: (event) => { app.state.remember = event.target.checked; } }),
  h("label", { for: "remember-device" }, "Remember this device"),
  h("p", { class: "hint", id: "remember-device-hint" }, "For 30 days the password is enough here. This page forgets it when it is closed."));

export function factor(app) {
  if (!app.state.challenge) return login(app);
  if (["passkey", "totp"].some((method) => app.state.methods.includes(method))) return strongFactor(app);
  const otp = field({ name: "otp", label: "Code from the text message", inputmode: "numeric", maxlength: 8, required: true, check: checks.otp, ...typedCode });
  const made = form({ name: "factor", fields: [otp], submit: "Go on", extra: link("login", "Start over"), send: (values) => answer(app, values) });
  app.takeCode = takeOtp(otp);
  return page("Second factor", "Six digits, valid for five minutes and one use. Five wrong tries end the code.", made.root, rememberSwitch(app));
}

async function answer(app, values, method = null) {
  await api.secondFactor(app.state.challenge, values.otp.trim(), method, app.state.remember);
  app.state.challenge = null;
  await app.enter();
}

// A passkey or an app is on: one of them or a backup code; a text message only for who asks for it.
function strongFactor(app) {
  const [hasPasskey, hasApp] = ["passkey", "totp"].map((method) => app.state.methods.includes(method));
  const otp = hasApp ? codeField("Code of the app", "Or one of your backup codes.") : codeField("Backup code", "If the passkey is not at hand.");
  let method = null;
  const text = app.state.methods.includes("sms") && action("Send a code by SMS instead", async () => {
    await api.textCode(app.state.challenge);
    method = "sms";
    app.expectMail();
    app.say("A code was sent by SMS.");
  });
  const passkey = hasPasskey && passkeys.factorButton(app, true);
  const made = form({ name: "factor", fields: [otp], submit: "Go on", extra: link("login", "Start over"), send: (values) => answer(app, values, method) });
  app.takeCode = takeOtp(otp);
  return page("Second factor", hasApp ? "The app’s code changes every 30 seconds, and works once." : "The passkey asks for your fingerprint, face or PIN.",
    passkey && h("div", { class: "actions" }, passkey), made.root, rememberSwitch(app), text && h("div", { class: "actions" }, text));
}

/** Takes the code of a text message or a call into a field. */
export const takeOtp = (otp) => (message) => {
  if (message.channel === "email") return false;
  put(otp, message.code);
  otp.input.focus();
  return true;
};

export function forgot(app) {
  const email = field({ name: "email", label: "E-mail", type: "email", value: app.state.email ?? "", autocomplete: "email", required: true, check: checks.email });
  const made = form({ name: "forgot", fields: [email], submit: "Send a link", extra: link("login", "Back to log in"), send: async (values) => {
    await api.forgot(values.email.trim());
    app.expectMail();
    app.say("If the address has an account, a link was sent to it.");
  } });
  return page("Forgot your password?", "The answer does not show whether the address has an account. If it has one, its owner gets a link.", made.root);
}

export function reset(app) {
  if (!app.state.resetToken) return forgot(app);
  const words = () => ({ names: [], email: app.state.email ?? "" });
  const made = form({ name: "reset", fields: [newPassword("password", "New password", words)], submit: "Set the password", send: async (values) => {
    await api.reset(app.state.resetToken, values.password);
    app.state.resetToken = null;
    app.expectMail();
    app.leave("login", "The password was changed, and every session has ended.");
  } });
  return page("A new password", "The link is valid once. A new password ends every session, on every device.", made.root);
}
