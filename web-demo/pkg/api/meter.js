// <portcullis-password-meter>: how hard the password in a field is to guess, and how to do better. The password stays
// in the page: it goes from the field to the module and nowhere else, and no event or attribute carries it.

import { TEXTS } from "./texts.js";

/** After the last key, before a screen reader is told: who types must not be talked over. */
const PAUSE = 700;

const CSS = `
:host { display: block; font: inherit; }
:host([hidden]) { display: none; }
[part="track"] { block-size: var(--meter-height, 0.5rem); border-radius: var(--meter-radius, 999px); overflow: hidden; background: var(--meter-track, #8884); }
[part="bar"] { block-size: 100%; inline-size: calc(var(--filled, 0) * 100%); background: var(--colour, transparent); transition: inline-size 0.2s; }
[part="label"], [part="advice"] { margin: 0.35em 0 0; }
[part="label"] { font-weight: 600; }
[part="advice"]:empty, [part="label"]:empty { display: none; }
.spoken { position: absolute; inline-size: 1px; block-size: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
:host([score="0"]) { --colour: var(--meter-0, #b3261e); }
:host([score="1"]) { --colour: var(--meter-1, #b3261e); }
:host([score="2"]) { --colour: var(--meter-2, #a15c00); }
:host([score="3"]) { --colour: var(--meter-3, #1f7a3d); }
:host([score="4"]) { --colour: var(--meter-4, #1f7a3d); }
@media (prefers-reduced-motion: reduce) { [part="bar"] { transition: none; } }
@media (forced-colors: active) { [part="track"] { border: 1px solid CanvasText; } [part="bar"] { background: Highlight; } }
`;

/** The element's class; on a server, where there are no elements, nothing. */
export function meterClass({ loadStrength, strength }) {
  if (typeof HTMLElement === "undefined") return class PasswordMeter {};
  let sheet;

  return class PasswordMeter extends HTMLElement {
    static observedAttributes = ["for", "lang", "app-name", "min-score", "names-from", "email-from"];

    texts;
    #field = null;
    #state = "idle";
    #timer;
    #parts;
    #abort;

    constructor() {
      super();
      const root = this.attachShadow({ mode: "open" });
      // a sheet that is made by script needs no 'unsafe-inline'
      sheet ??= new CSSStyleSheet();
      sheet.replaceSync(CSS);
      root.adoptedStyleSheets = [sheet];
      const part = (name, parent = root, tag = "div") => {
        const made = document.createElement(tag);
        made.setAttribute("part", name);
        parent.append(made);
        return made;
      };
      const track = part("track");
      const [bar, label, advice] = [part("bar", track), part("label", root, "p"), part("advice", root, "p")];
      const spoken = part("spoken", root, "p");
      spoken.className = "spoken";
      spoken.setAttribute("role", "status");
      spoken.setAttribute("aria-live", "polite");
      for (const [name, value] of [["role", "meter"], ["aria-valuemin", "0"], ["aria-valuemax", "4"], ["aria-valuenow", "0"]]) {
        track.setAttribute(name, value);
      }
      this.#parts = { track, bar, label, advice, spoken };
    }

    connectedCallback() {
      this.#abort = new AbortController();
      // the field may stand after the element in the page
      queueMicrotask(() => this.#watch());
      const root = this.getRootNode();
      root.addEventListener("focusin", (event) => this.#began(event), { signal: this.#abort.signal });
      root.addEventListener("input", (event) => this.#changed(event), { signal: this.#abort.signal });
    }

    disconnectedCallback() {
      this.#abort?.abort();
      clearTimeout(this.#timer);
    }

    attributeChangedCallback() {
      if (this.isConnected) this.#watch();
    }

    #watch() {
      this.#field = this.#byId(this.getAttribute("for"));
      this.#show();
      if (this.#field?.value || this.#field?.matches(":focus")) this.#load();
    }

    #byId(id) {
      return id ? this.getRootNode().querySelector(`#${CSS_escape(id)}`) : null;
    }

    #others() {
      const ids = `${this.getAttribute("names-from") ?? ""} ${this.getAttribute("email-from") ?? ""}`;
      return ids.split(/\s+/).filter(Boolean).map((id) => this.#byId(id)).filter(Boolean);
    }

    #began(event) {
      this.#field ??= this.#byId(this.getAttribute("for"));
      if (event.target === this.#field) this.#load();
    }

    #changed(event) {
      if (event.target !== this.#field && !this.#others().includes(event.target)) return;
      if (event.target === this.#field) this.#load();
      this.#show();
    }

    #load() {
      if (this.#state !== "idle") return;
      this.#state = "loading";
      loadStrength().then(
        () => (this.#state = "ready"),
        () => (this.#state = "unavailable"),
      ).then(() => this.#show());
    }

    #show() {
      const password = this.#field?.value ?? "";
      if (this.#state === "ready" && password !== "") {
        const valueOf = (attribute) =>
          (this.getAttribute(attribute) ?? "").split(/\s+/).filter(Boolean).map((id) => this.#byId(id)?.value ?? "");
        const found = strength(password, {
          names: valueOf("names-from"),
          email: valueOf("email-from")[0],
          appName: this.getAttribute("app-name") ?? "",
        });
        const advice = [found.warning, ...found.suggestions].filter(Boolean);
        this.#render(found.score, this.#say(`score_${found.score}`), advice.map((one) => this.#say(one.code, one.text)).join(" "));
        this.dispatchEvent(new CustomEvent("strength", { detail: found, bubbles: true, composed: true }));
      } else {
        const unavailable = this.#state === "unavailable";
        const waiting = this.#state === "loading" && password !== "";
        this.#render(undefined, this.#say(unavailable ? "unavailable" : waiting ? "loading" : "empty"), "");
      }
    }

    #render(score, label, advice) {
      const { track, bar, spoken } = this.#parts;
      if (score === undefined) this.removeAttribute("score");
      else this.setAttribute("score", String(score));
      this.toggleAttribute("enough", score >= Number(this.getAttribute("min-score") ?? 3));
      bar.style.setProperty("--filled", String(score === undefined ? 0 : (score + 1) / 5));
      track.setAttribute("aria-valuenow", String(score ?? 0));
      track.setAttribute("aria-valuetext", label);
      track.setAttribute("aria-label", this.#say("name"));
      this.#parts.label.textContent = label;
      this.#parts.advice.textContent = advice;
      clearTimeout(this.#timer);
      const sentence = label === "" ? "" : `${this.#say("name")}: ${label}. ${advice}`;
      this.#timer = setTimeout(() => {
        if (spoken.textContent !== sentence) spoken.textContent = sentence;
      }, PAUSE);
    }

    #say(code, english = code) {
      const asked = this.closest("[lang]")?.lang || document.documentElement.lang || "en";
      const language = TEXTS[asked.toLowerCase().split("-")[0]] ?? TEXTS.en;
      return this.texts?.[code] ?? language[code] ?? TEXTS.en[code] ?? english;
    }
  };
}

function CSS_escape(id) {
  return globalThis.CSS?.escape ? globalThis.CSS.escape(id) : id;
}
