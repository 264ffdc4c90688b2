// The requests that the page sends, for people who want to see the API at work: the newest first, a screenful of them.
import { wire } from "./api.js";
import { h } from "./dom.js";

const MOST = 40;

export function showHttpLog(list) {
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
