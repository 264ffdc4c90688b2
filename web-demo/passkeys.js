// Passkeys: one logs in without a password, is the second factor of a login with one, and is added, renamed and removed here.
import * as api from "./api.js";
import { h, icon, ICONS } from "./dom.js";
import { action, field, form } from "./forms.js";
import { inWords, when } from "./messages.js";
import { page } from "./page.js";

/** Whether this browser has passkeys for this page: a passkey belongs to a domain, and an address is none. */
export const usable = () => Boolean(globalThis.PublicKeyCredential?.parseRequestOptionsFromJSON) && !/^[\d.:[\]]+$/.test(location.hostname);

/** The browser has asked its owner in vain, or was told to stop: no error of the server. */
const stopped = (error) => error instanceof DOMException;

let waiting = null;

/** Ends an offer of passkeys in the field of the e-mail. */
export function stop() {
  waiting?.abort();
  waiting = null;
}

async function sign(options, more = {}) {
  stop();
  waiting = new AbortController();
  const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(options);
  return (await navigator.credentials.get({ publicKey, signal: waiting.signal, ...more })).toJSON();
}

async function logIn(app, more) {
  const { body } = await api.passkeyChallenge();
  const credential = await sign(body.options, more);
  await api.logInByPasskey(body.token, credential);
  await app.enter();
}

/** Conditional UI: the browser offers passkeys where the e-mail is typed, and nothing else happens before one is chosen. */
export async function offer(app) {
  if (!usable() || !(await PublicKeyCredential.isConditionalMediationAvailable?.())) return;
  try {
    await logIn(app, { mediation: "conditional" });
  } catch (error) {
    if (!stopped(error)) app.say(inWords(error));
  }
}

/** A new passkey, as JSON; null where its owner did not want one. */
export async function create(options) {
  try {
    return (await navigator.credentials.create({ publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(options) })).toJSON();
  } catch (error) {
    if (!stopped(error)) throw error;
    return null;
  }
}

const unlessStopped = (words, work) => async () => {
  try {
    await work();
  } catch (error) {
    if (!stopped(error)) throw error;
    words();
  }
};

/** The button of the login. */
export const loginButton = (app) => usable() && h("div", { class: "actions" },
  action("Log in with a passkey", unlessStopped(() => app.say("No passkey was used."), () => logIn(app))));

/** The button of the second factor, where the account has passkeys. */
export const factorButton = (app, primary) => usable() && action("Use a passkey", unlessStopped(() => app.say("No passkey was used."), async () => {
  const { challenge, passkeyOptions, remember } = app.state;
  await api.secondFactorByPasskey(challenge, await sign(passkeyOptions), remember);
  app.state.challenge = null;
  await app.enter();
}), primary ? { class: "primary" } : {});

export async function passkeys(app) {
  if (app.state.backupCodes) return page("Passkeys", "Added. Your account has backup codes too.", backupCodes(app));
  const { body } = await api.passkeys();
  const list = h("ul", { class: "sessions" }, body.passkeys.map((passkey) => row(app, passkey)));
  return page("Passkeys", "A passkey logs you in by a fingerprint, a face or a PIN. No other site can get it, and there is nothing to type.",
    body.passkeys.length > 0 ? list : h("p", {}, "You have none yet."), usable() ? adding(app) : h("p", {}, "This browser has no passkeys for this page. They need a domain: open it at localhost instead of an address."));
}

function row(app, passkey) {
  const used = passkey.last_used_at ? `last used ${when(passkey.last_used_at)}` : "not used yet";
  const naming = app.state.renaming === passkey.id;
  const name = field({ name: "name", label: "New name", value: passkey.name, required: true, maxlength: 100 });
  const rename = naming && form({ name: "passkey-rename", fields: [name], submit: "Save", send: async (values) => {
    await api.renamePasskey(passkey.id, values.name);
    app.state.renaming = null;
    await app.show("Renamed.");
  } });
  const buttons = h("div", { class: "actions" },
    action("Rename", async () => {
      app.state.renaming = passkey.id;
      await app.show();
      document.querySelector("main .field-name input")?.focus();
    }, { "aria-label": `Rename: ${passkey.name}` }),
    action("Remove", async () => {
      await api.removePasskey(passkey.id);
      app.keep(await api.profile());
      app.expectMail();
      await app.show("Removed. Every other session has ended.");
    }, { "aria-label": `Remove: ${passkey.name}`, class: "quiet danger-text" }));
  return h("li", { class: "session" }, icon(ICONS.lock),
    h("div", { class: "session-text" },
      h("p", { class: "session-name" }, passkey.name, passkey.synced && h("span", { class: "badge" }, "synced")),
      h("p", { class: "small" }, `${used} · since ${when(passkey.created_at)}`)),
    naming ? rename.root : buttons);
}

function adding(app) {
  const name = field({ name: "new_name", label: "Name of the new passkey", value: "This browser", required: true, maxlength: 100 });
  const made = form({ name: "passkey-add", fields: [name], submit: "Add a passkey", send: async (values) => {
    const { body } = await api.beginPasskey(values.password ? { password: values.password } : {});
    const credential = await create(body.options);
    if (!credential) return app.say("No passkey was made. This browser may have one of the account already.");
    const added = await api.addPasskey(body.token, credential, values.new_name);
    app.state.backupCodes = added.body.backup_codes ?? null;
    app.keep(await api.profile());
    app.expectMail();
    return app.show("Added. Every other session has ended.");
  } });
  return made.root;
}

/** Backup codes, shown once. */
export function backupCodes(app) {
  const done = action("I have written them down", async () => {
    app.state.backupCodes = null;
    app.show();
  }, { class: "primary" });
  return [
    h("h2", {}, "Backup codes"),
    h("p", {}, "For the day on which the other factors are lost. Each works once, and they are shown this once."),
    h("ol", { class: "backup-codes" }, app.state.backupCodes.map((code) => h("li", {}, h("code", {}, code)))),
    h("div", { class: "actions" }, done),
  ];
}
