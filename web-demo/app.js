// The page: which view is shown, who is logged in, and what each view may ask of the rest.
import * as account from "./account.js";
import * as api from "./api.js";
import { announce, byId, h, icon, ICONS } from "./dom.js";
import { enrol } from "./enrolment.js";
import * as signIn from "./sign-in.js";
import * as factors from "./factors.js";
import * as passkeys from "./passkeys.js";
import { Mailbox } from "./mailbox.js";
import * as sessionsAndData from "./sessions-and-data.js";
import { loadRules } from "./rules.js";
import { showHttpLog } from "./http-log.js";
import { inWords } from "./messages.js";

const GATE = { register: ["Register", signIn.register], verify: ["Verify your e-mail", signIn.verify], login: ["Log in", signIn.login], factor: ["Second factor", signIn.factor], enrol: ["First factor", enrol], forgot: ["Forgot password", signIn.forgot], reset: ["New password", signIn.reset] };
const INSIDE = { profile: ["Profile", account.profile], address: ["E-mail", account.address], password: ["Password", account.password], phone: ["Second factor", account.phone], app: ["Authenticator app", factors.authenticator], passkeys: ["Passkeys", passkeys.passkeys], sessions: ["Sessions", sessionsAndData.sessions], data: ["Your data", sessionsAndData.data] };
// what only makes sense after something else is reached from there, not from the list
const LISTED = ["register", "verify", "login", "forgot"];

const main = byId("main");
const fresh = () => ({ me: null, etag: null, email: null, link: null, challenge: null, methods: [], resetToken: null, phoneChallenge: null, enrolment: null, enrolling: null, backupCodes: null, passkeyOptions: null, remember: false, renaming: null });
let mailbox = null;
let turn = 0;
let pending = null;
let settings = null;

/** What a view may use. */
const app = {
  state: fresh(),
  /** Set by a view that has a place for a code: takes a message of the mailbox, or says that it cannot. */
  takeCode: null,

  /** To another view, with news for it. */
  go(name, words = null) {
    pending = words;
    if (current() === name) return app.show(words);
    location.hash = name; // the listener below shows it
    return undefined;
  },

  /** The same view again, with news. */
  show(words = null) {
    pending = words ?? pending;
    return render();
  },

  /** News without showing anything again. */
  say(words) {
    main.querySelector(".notice")?.replaceChildren(h("p", {}, words));
    announce(words);
  },

  keep({ body, etag }) {
    app.state.me = body;
    app.state.etag = etag;
  },

  /** After the last factor: the profile, and the gate goes up. */
  async enter() {
    app.keep(await api.profile());
    app.go("profile", "You are in.");
  },

  /** The tokens are dead: the gate comes down. */
  leave(name, words) {
    const { email } = app.state;
    app.state = { ...fresh(), email };
    app.go(name, words);
  },

  expectMail: () => mailbox?.expect(),
};

const current = () => location.hash.slice(1) || "register";

function wanted() {
  const name = current();
  if (name in INSIDE) return api.isLoggedIn() && app.state.me ? name : "login";
  return name in GATE ? name : "register";
}

async function render() {
  const mine = ++turn;
  const name = wanted();
  const [title, view] = INSIDE[name] ?? GATE[name];
  app.takeCode = null;
  passkeys.stop();
  let content;
  try {
    content = await view(app);
  } catch (problem) {
    content = [h("h1", { tabindex: "-1" }, title), h("div", { class: "alert", role: "alert" }, h("p", {}, inWords(problem)))];
  }
  // someone has gone on already, or was put out meanwhile
  if (mine !== turn || wanted() !== name) return;
  main.replaceChildren(...content);
  main.dataset.view = name;
  document.title = `${title} · ${settings.app_name} demo`;
  showWho();
  showStory(name);
  // what was asked for by its address, perhaps by a reload, needs a login first
  const words = pending ?? (current() in INSIDE && name === "login" ? "Log in first. Tokens are only in this page’s memory: a reload removes them, unless the cookie has one." : null);
  pending = null;
  if (words) app.say(words);
  // who navigates by ear or by keyboard starts at the title of what is new; the first view leaves the focus alone
  if (mine > 1) main.querySelector("h1")?.focus({ preventScroll: true });
  if (mine > 1) scrollTo({ top: 0 });
}

function showWho() {
  const inside = api.isLoggedIn() && app.state.me;
  document.documentElement.dataset.gate = inside ? "open" : "shut";
  const who = byId("who");
  who.hidden = !inside;
  who.textContent = inside ? app.state.me.email : "";
  byId("log-out").hidden = !inside;
}

function showStory(name) {
  const inside = api.isLoggedIn() && Boolean(app.state.me);
  const item = ([id, [title]]) => {
    const attributes = { href: `#${id}`, "aria-current": id === name ? "page" : null };
    return h("li", {}, id in INSIDE && !inside ? h("span", { class: "locked" }, title, icon(ICONS.lock), h("span", { class: "unseen" }, " (after logging in)")) : h("a", attributes, title));
  };
  const part = (title, id, entries, off) => h("div", { class: off ? "story-part off" : "story-part" },
    h("p", { class: "story-title", id }, title), h("ul", { "aria-labelledby": id }, entries.map(item)));
  const outer = Object.entries(GATE).filter(([id]) => LISTED.includes(id) || id === name);
  byId("story").replaceChildren(part("Not logged in", "story-gate", outer, inside), part("Your account", "story-inside", Object.entries(INSIDE), !inside));
  byId("story").querySelector("[aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
}

/** A link of a mail, followed inside the page instead of in a tab of its own. */
function follow(message, link) {
  const url = new URL(link);
  const token = url.searchParams.get("token");
  // the mailbox has messages of every realm
  const realm = url.pathname.split("/").at(-2);
  if (settings.realms.includes(realm) && realm !== byId("realm").value) enterRealm(realm);
  app.state.email = message.to;
  if (url.pathname.endsWith("/verify")) {
    app.state.link = { token, change: message.template === "email_change_confirm" };
    app.go("verify");
  } else if (url.pathname.endsWith("/reset_password_form")) {
    app.state.resetToken = token;
    app.go("reset");
  }
}

function useCode(message) {
  if (app.takeCode?.(message)) return announce("The code was filled in.");
  if (message.channel === "email") {
    app.state.link = null;
    app.state.email = message.to;
    return Promise.resolve(app.go("verify")).then(() => requestAnimationFrame(() => app.takeCode?.(message)));
  }
  return app.say("No field on this page takes that code.");
}

function chooseRealm() {
  const select = byId("realm");
  select.replaceChildren(...settings.realms.map((name) => h("option", { value: name }, name)));
  select.value = settings.realm;
  select.addEventListener("change", () => {
    enterRealm(select.value);
    app.go("register", `Realm ${select.value}: another population, with accounts of its own.`);
  });
}

function enterRealm(name) {
  byId("realm").value = name;
  api.useRealm(name);
  app.state = fresh();
}

async function start() {
  try {
    settings = await api.connect();
  } catch (problem) {
    main.replaceChildren(h("h1", {}, "Not connected"), h("p", { class: "lead" }, problem.message));
    return;
  }
  byId("app-name").textContent = settings.app_name;
  chooseRealm();
  showHttpLog(byId("wire"));
  mailbox = new Mailbox({ follow, useCode, wanted: settings.mailbox });
  byId("log-out").addEventListener("click", async () => {
    await api.logOut().catch(() => null); // gone either way, as far as this page goes
    app.leave("login", "Logged out. The tokens of this session are no longer valid.");
  });
  api.session.addEventListener("ended", () => app.leave("login", "This session has ended. Log in again."));
  addEventListener("hashchange", render);
  document.querySelector(".skip").addEventListener("click", (event) => {
    event.preventDefault();
    main.focus();
  });
  const loaded = loadRules(settings);
  const resumed = await api.resume();
  if (resumed) {
    app.keep(resumed);
    if (!(current() in INSIDE)) history.replaceState(null, "", "#profile");
  }
  await render();
  document.documentElement.dataset.ready = "true";
  byId("rules").textContent = (await loaded)
    ? ""
    : "The rules could not be loaded in this browser, so fields are checked when you send them. The page needs WebAssembly and a policy with 'wasm-unsafe-eval'.";
  document.documentElement.dataset.rules = byId("rules").textContent ? "server" : "browser";
  void mailbox.look();
}

void start();
