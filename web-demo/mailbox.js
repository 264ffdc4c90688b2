// The development mailbox beside the page: what the person would get on their phone and in their mail.
import * as api from "./api.js";
import { announce, byId, h, icon, ICONS } from "./dom.js";
import { clockTime } from "./messages.js";

const SHOWN = 12;
// a worker sends what a request asked for: most messages are there at the first look, a slow one some seconds later
const LOOKS = [120, 300, 600, 1200, 2500, 5000];
const TITLES = {
  mail_email_verify: "Verification", registration: "Welcome", already_registered: "Someone tried your address",
  mail_password_reset: "Password reset", password_changed: "Password changed", email_change_confirm: "Confirm the new address",
  email_change_requested: "Another address was asked for", email_changed: "Address changed", phone_changed: "Phone changed", mfa_changed: "Second factor changed", factors_reset: "Second factors reset", backup_code_used: "Backup code used", device_remembered: "Device remembered", enrolment_code: "Code for the first factor",
};
const FOLLOWED = { mail_email_verify: "Follow the link", mail_password_reset: "Follow the link", email_change_confirm: "Follow the link" };

export class Mailbox {
  #callbacks;
  #list = byId("letters");
  #seen = new Set();
  #first = true;
  #timer = null;

  constructor({ follow, useCode, wanted }) {
    this.#callbacks = { follow, useCode };
    this.wanted = wanted;
    byId("mailbox-reload").addEventListener("click", () => this.look());
    const jump = byId("to-mailbox");
    jump.addEventListener("click", (event) => {
      event.preventDefault(); // the address names the view, not a place in it
      this.#count(0);
      const title = byId("mailbox-title");
      title.scrollIntoView();
      title.focus();
    });
    const box = byId("letters");
    // seen is seen, however one got there
    new IntersectionObserver(([entry]) => { jump.classList.toggle("there", entry.isIntersecting); }, { rootMargin: "-25% 0px" }).observe(box);
  }

  /** Something was asked for that sends a message: looks until it is there. */
  expect(at = 0) {
    clearTimeout(this.#timer);
    if (!this.wanted || at >= LOOKS.length) return;
    this.#timer = setTimeout(async () => {
      // a second message may follow the first closely
      const found = await this.look();
      this.expect(found ? Math.max(at + 1, LOOKS.length - 2) : at + 1);
    }, LOOKS[at]);
  }

  /** Shows what is there; true if something is new. */
  async look() {
    if (!this.wanted) return this.#absent();
    const messages = await api.mailbox().catch(() => undefined);
    if (messages === null) return this.#absent();
    if (messages === undefined) return false;
    const shown = messages.slice(0, SHOWN);
    const key = (message) => `${message.at}${message.template}${message.to}${message.code ?? ""}`;
    const news = shown.filter((message) => !this.#seen.has(key(message)));
    if (news.length === 0 && !this.#first) return false;
    const isNew = new Set(this.#first ? [] : news);
    this.#first = false;
    for (const message of messages) this.#seen.add(key(message));
    this.#list.replaceChildren(...(shown.length > 0 ? shown.map((message) => this.#letter(message, isNew.has(message))) : [h("li", { class: "letters-none" }, "No messages yet. Register to get the first one.")]));
    this.#count(isNew.size);
    const newest = news[0];
    if (newest && isNew.size > 0) announce(`${newest.channel === "email" ? "New mail" : "New message"}: ${this.#title(newest)}.`);
    return isNew.size > 0;
  }

  #title = (message) => (message.channel === "email" ? (TITLES[message.template] ?? message.subject) : message.channel === "voice" ? "A call" : "Text message");

  #letter(message, fresh) {
    const taken = (work) => () => {
      this.#count(0);
      work();
    };
    const follow = taken(() => this.#callbacks.follow(message, link));
    const useCode = taken(() => this.#callbacks.useCode(message));
    const kind = message.channel === "email" ? ICONS.mail : message.channel === "voice" ? ICONS.call : ICONS.phone;
    const title = this.#title(message);
    const link = FOLLOWED[message.template] && message.links?.[0];
    return h("li", { class: `letter ${message.channel}${fresh ? " fresh" : ""}`, "data-template": message.template, "data-to": message.to },
      h("p", { class: "letter-head" }, icon(kind), h("strong", {}, title), h("time", { datetime: message.at }, clockTime(message.at))),
      h("p", { class: "letter-to" }, `to ${message.to}`),
      message.channel === "email" ? null : h("p", { class: "letter-text" }, message.text.trim()),
      message.code && h("p", { class: "letter-code" }, h("code", {}, message.code)),
      (message.code || link) && h("div", { class: "letter-actions" },
        message.code && h("button", { type: "button", class: "quiet small", click: useCode, "aria-label": `Use the code: ${title}` }, "Use the code"),
        link && h("button", { type: "button", class: "quiet small", click: follow, "aria-label": `${FOLLOWED[message.template]}: ${title}` }, FOLLOWED[message.template])));
  }

  #count(more) {
    const count = byId("mailbox-count");
    count.hidden = more === 0;
    count.textContent = more === 0 ? "" : `${more} new`;
    const jump = byId("to-mailbox");
    jump.hidden = more === 0;
    jump.textContent = more === 0 ? "" : `Mailbox · ${more} new`;
  }

  #absent() {
    this.wanted = false;
    byId("mailbox-reload").hidden = true;
    this.#list.replaceChildren(h("li", { class: "letters-none" }, "This server has no development mailbox: read the real e-mails and SMS."));
    return false;
  }
}
