// The first factor of an account whose realm requires one: the code of a mail, then an app, a passkey or the phone.
import * as api from "./api.js";
import { h } from "./dom.js";
import { codeField, keyOf } from "./factors.js";
import { action, field, form, put } from "./forms.js";
import { page } from "./page.js";
import * as passkeys from "./passkeys.js";
import { checks } from "./rules.js";
import { askFactor, login } from "./sign-in.js";

export function enrol(app) {
  const { enrolling } = app.state;
  if (!enrolling) return login(app);
  return enrolling.offer ? choose(app, enrolling.offer) : confirm(app, enrolling.token);
}

/** The mailbox first: whoever knows the password alone adds nothing. */
function confirm(app, token) {
  const code = field({ name: "code", label: "Code from the mail", maxlength: 12, required: true, check: checks.code, autocapitalize: "characters", autocomplete: "one-time-code", spellcheck: "false", class: "typed-code" });
  const made = form({ name: "enrol-code", fields: [code], submit: "Go on", extra: h("a", { href: "#login" }, "Start over"), send: async (values) => {
    const { body } = await api.confirmEnrolment(token, values.code.trim());
    app.state.enrolling = { offer: body };
    await app.show("The mailbox is yours. Choose your first factor.");
  } });
  app.takeCode = (message) => {
    if (message.template !== "enrolment_code") return false;
    put(code, message.code);
    code.input.focus();
    return true;
  };
  return page("First factor", "The password is right, and here it is not enough: your account needs a second factor. A code was mailed to you.", made.root);
}

function choose(app, offer) {
  const token = offer.enrolment_token;
  const add = async (view, factor) => {
    const codes = await api.enrol(token, factor);
    app.state.enrolling = null;
    app.state.backupCodes = codes;
    app.keep(await api.profile());
    app.expectMail();
    app.go(view, "You are in. Write your backup codes down.");
  };
  const otp = codeField("First code of the app");
  const withApp = form({ name: "enrol-app", fields: [otp], submit: "Log in with the app", send: (values) => add("app", { method: "totp", otp: values.otp.trim() }) });
  const name = field({ name: "new_name", label: "Name of the passkey", value: "This browser", required: true, maxlength: 100 });
  const withPasskey = passkeys.usable() && form({ name: "enrol-passkey", fields: [name], submit: "Log in with a new passkey", send: async (values) => {
    const credential = await passkeys.create(offer.passkey_options);
    if (!credential) return app.say("No passkey was made.");
    return add("passkeys", { method: "passkey", name: values.new_name, credential });
  } });
  const withPhone = offer.methods.includes("sms") && action("Use my phone", async () => {
    try {
      await api.enrol(token, { method: "sms" });
    } catch (problem) {
      if (problem.code !== "mfa_required") throw problem;
      app.state.enrolling = null;
      askFactor(app, problem);
    }
  });
  return page("First factor", "From now on a login asks for it. You get backup codes for the day on which it is lost.",
    withPasskey && [h("h2", {}, "A passkey"), withPasskey.root],
    h("h2", {}, "An authenticator app"), keyOf(offer.totp), withApp.root,
    withPhone && [h("h2", {}, "Text messages"), h("div", { class: "actions" }, withPhone)]);
}
