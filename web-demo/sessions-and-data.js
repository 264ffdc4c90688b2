// Views of the logged-in user: sessions, export, deletion.
import * as api from "./api.js";
import { h, icon, ICONS } from "./dom.js";
import { action, field, form } from "./forms.js";
import { page } from "./page.js";
import { device, when } from "./messages.js";

export async function sessions(app) {
  const { body } = await api.sessions();
  // the newest first, and this one before all others
  const rows = [...body.sessions].sort((a, b) => b.current - a.current || b.last_used_at.localeCompare(a.last_used_at));
  const list = h("ul", { class: "sessions" }, rows.map((session) => h("li", { class: session.current ? "session current" : "session" },
    icon(ICONS.laptop),
    h("div", { class: "session-text" },
      h("p", { class: "session-name" }, device(session.user_agent), session.current && h("span", { class: "badge good" }, "this one")),
      h("p", { class: "small" }, `${session.address} · last used ${when(session.last_used_at)} · since ${when(session.created_at)}`)),
    session.current ? null : action("End this one", async () => {
      await api.endSession(session.id);
      await app.show("The session has ended. Its tokens are no longer valid.");
    }, { "aria-label": `End this one: ${device(session.user_agent)}, since ${when(session.created_at)}` }))));
  const everywhere = action("Log out everywhere", async () => {
    await api.logOutEverywhere();
    app.leave("login", "Logged out on every device, this one included.");
  }, { class: "quiet danger-text" });
  const remembered = (await api.devices()).body.devices;
  const devices = remembered.length > 0 && [
    h("h2", {}, "Remembered devices"),
    h("p", {}, "From these the password logs in without a second factor."),
    h("ul", { class: "sessions" }, remembered.map((one) => h("li", { class: "session remembered" },
      icon(ICONS.laptop),
      h("div", { class: "session-text" },
        h("p", { class: "session-name" }, device(one.user_agent)),
        h("p", { class: "small" }, `${one.address} · since ${when(one.created_at)} · until ${when(one.expires_at)}`)),
      action("Forget it", async () => {
        await api.forgetDevice(one.id);
        await app.show("Forgotten. The next login from it asks for a second factor.");
      }, { "aria-label": `Forget it: ${device(one.user_agent)}, since ${when(one.created_at)}` })))),
  ];
  return page("Sessions", "Each login is a session. When it ends, its tokens are refused by the next request, on every instance.", list,
    h("div", { class: "actions" }, everywhere), devices);
}

export function data(app) {
  const me = app.state.me;
  const take = action("Download everything as JSON", async () => {
    const { body } = await api.exportAll();
    save(`${me.id}.json`, JSON.stringify(body, null, 2));
    app.say("Downloaded.");
  }, { class: "primary" });
  const made = form({ name: "delete", submit: "Delete my account", danger: true, fields: [
    field({ name: "password", label: "Your password", type: "password", autocomplete: "current-password", required: true }),
  ], send: async (values) => {
    await api.deleteAccount(values.password);
    app.leave("register", "The account was deleted. No personal data of it is left.");
  } });
  return page("Your data", "Export your data, or delete your account.",
    h("section", { class: "part" }, h("h2", {}, "Export"), h("p", {}, "Profile, sessions and the history of events. Once a day."), h("div", { class: "actions" }, take)),
    h("section", { class: "part danger-part" }, h("h2", {}, "Delete"), h("p", {}, "Deletes the key that your data are encrypted with, then the data. This can't be undone."), made.root));
}

function save(name, text) {
  const url = URL.createObjectURL(new Blob([text], { type: "application/json" }));
  h("a", { href: url, download: name }).click();
  // the download has its own hold on the data by the next task
  setTimeout(() => URL.revokeObjectURL(url));
}
