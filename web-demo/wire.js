// What went over the wire, for people who want to see the API at work: the newest first, a screenful of it.
import { wire } from "./api.js";
import { h } from "./dom.js";

const MOST = 40;

export function showWire(list) {
  wire.addEventListener("exchange", ({ detail: { method, path, status, code, ms } }) => {
    const kind = status === 0 ? "none" : status < 400 ? "good" : "refused";
    list.prepend(h("li", {},
      h("span", { class: "method" }, method),
      h("span", { class: "path" }, path),
      h("span", { class: `status ${kind}` }, status === 0 ? "—" : String(status)),
      h("span", { class: "took" }, code ?? `${ms} ms`)));
    while (list.children.length > MOST) list.lastElementChild.remove();
  });
}
