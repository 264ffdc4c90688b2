// Views of the logged-in user: profile, e-mail, password, second factor.
import * as api from "./api.js";
import { h, icon, ICONS } from "./dom.js";
import { action, field, form } from "./forms.js";
import { newPassword, personFields, phoneFields, takeOtp } from "./sign-in.js";
import { page } from "./page.js";
import { checks } from "./rules.js";
import { when } from "./messages.js";

const fact = (name, ...value) => [h("dt", {}, name), h("dd", {}, ...value)];
const badge = (good, yes, no) => h("span", { class: good ? "badge good" : "badge" }, good ? icon(ICONS.check) : null, good ? yes : no);

/** The password, where the form has asked for it because the login is not recent. */
const given = ({ password }) => (password ? { password } : {});

export function profile(app) {
  const me = app.state.me;
  const made = form({ name: "profile", fields: [...personFields(me), ...phoneFields(me)], submit: "Save", send: async (values) => {
    const changes = {};
    for (const name of ["first_name", "last_name"]) if (values[name] !== me[name]) changes[name] = values[name];
    if (values.phone !== me.phone || values.country_code !== me.country) Object.assign(changes, { phone: values.phone, country_code: values.country_code });
    if (Object.keys(changes).length === 0) return app.say("Nothing was changed.");
    try {
      app.keep(await api.update({ ...changes, ...given(values) }, app.state.etag));
    } catch (problem) {
      if (problem.code === "precondition_failed") app.keep(await api.profile());
      throw problem;
    }
    app.show("Saved.");
  } });
  const facts = h("dl", { class: "facts" },
    fact("E-mail", me.email, " ", badge(me.is_email_verified, "proven", "not proven")),
    fact("Phone", me.phone, " ", badge(me.is_phone_verified, "proven", "not proven")),
    fact("Second factor", badge(me.mfa.sms || me.mfa.totp || me.mfa.passkeys > 0, [me.mfa.passkeys > 0 && "passkey", me.mfa.totp && "app", me.mfa.sms && "text message"].filter(Boolean).join(", "), "off")),
    fact("Here since", when(me.created_at)),
    fact("Id", h("code", {}, me.id)));
  return page(`Hello, ${me.first_name}`, "Each field is encrypted separately before the database gets it.", facts,
    h("h2", {}, "Change it"), made.root);
}

export function address(app) {
  const me = app.state.me;
  const email = field({ name: "email", label: "New e-mail", type: "email", autocomplete: "email", required: true, check: checks.email });
  const made = form({ name: "address", fields: [email], submit: "Ask for the change", send: async (values) => {
    app.keep(await api.update({ email: values.email.trim(), ...given(values) }, app.state.etag));
    app.expectMail();
    app.show(app.state.me.pending_email ? "A link was sent to the new address, and a notice to the old one." : "That is your address already.");
  } });
  const cancel = action("Call it off", async () => {
    app.keep(await api.update({ email: me.email }, app.state.etag));
    app.show("The change was cancelled. Its link is no longer valid.");
  });
  const waiting = me.pending_email && h("div", { class: "pending" }, h("p", {}, h("strong", {}, me.pending_email), " waits for its link to be followed."), cancel);
  return page("Change your e-mail", "The old e-mail logs in until the link in the new mailbox is used.",
    h("dl", { class: "facts" }, fact("Now", me.email)), waiting, made.root);
}

export function password(app) {
  const { me } = app.state;
  const words = () => ({ names: [me.first_name, me.last_name], email: me.email });
  const fields = [
    // for password managers, which keep a password with a name
    field({ name: "username", label: "Account", type: "email", value: me.email, autocomplete: "username", readonly: true }),
    field({ name: "current_password", label: "Current password", type: "password", autocomplete: "current-password", required: true }),
    newPassword("password", "New password", words),
  ];
  const made = form({ name: "password", fields, submit: "Change the password", send: async (values) => {
    await api.changePassword(values.current_password, values.password);
    app.expectMail();
    app.show("The password was changed. Every other session has ended.");
  } });
  return page("Change your password", "Length matters most: four unusual words are better than one word with replaced letters.", made.root);
}

export function phone(app) {
  const me = app.state.me;
  const parts = me.is_phone_verified ? factorSwitch(app, me) : proof(app, me);
  return page("Second factor", "A code by SMS, asked for after the password. It needs a verified phone.",
    h("ol", { class: "ladder" },
      h("li", { class: me.is_phone_verified ? "done" : "now" }, "Verify the phone"),
      h("li", { class: me.mfa.sms ? "done" : me.is_phone_verified ? "now" : "" }, "Switch it on"),
      h("li", { class: me.mfa.sms ? "now" : "" }, "Log in with it")), parts);
}

function proof(app, me) {
  const send = (channel) => async () => {
    const { body } = await api.sendOtp(me.id, me.phone, channel);
    app.state.phoneChallenge = body.token;
    app.expectMail();
    app.show(channel === "voice" ? "The call was started." : "The SMS was sent.");
  };
  const ways = h("div", { class: "actions" },
    action(app.state.phoneChallenge ? "Send another code" : `Send a code to ${me.phone}`, send("sms"), { class: app.state.phoneChallenge ? "quiet" : "primary" }),
    action("Call instead", send("voice")));
  if (!app.state.phoneChallenge) return [ways];
  const otp = field({ name: "otp", label: "Code from the message", inputmode: "numeric", autocomplete: "one-time-code", maxlength: 8, required: true, check: checks.otp, class: "typed-code" });
  const made = form({ name: "phone", fields: [otp], submit: "Verify the phone", send: async (values) => {
    await api.verifyOtp(app.state.phoneChallenge, values.otp.trim());
    app.state.phoneChallenge = null;
    app.keep(await api.profile());
    app.show("The phone is verified. You can switch the second factor on.");
  } });
  app.takeCode = takeOtp(otp);
  return [made.root, ways];
}

function factorSwitch(app, me) {
  if (!me.mfa.sms) {
    const on = form({ name: "factor-on", submit: "Switch it on", fields: [], send: async (values) => {
      await api.setFactor(true, given(values));
      app.keep(await api.profile());
      app.expectMail();
      app.show("SMS is on. The next login asks for a code.");
    } });
    return [on.root];
  }
  const made = form({ name: "factor-off", submit: "Switch it off", fields: [
    field({ name: "password", label: "Your password", type: "password", autocomplete: "current-password", required: true, hint: "The password is needed, so that nobody at your unlocked screen can switch it off." }),
  ], send: async (values) => {
    await api.setFactor(false, { password: values.password });
    app.keep(await api.profile());
    app.expectMail();
    app.show("Off.");
  } });
  return [h("p", {}, badge(true, "on"), ` Codes go to ${me.phone}.`), made.root];
}
