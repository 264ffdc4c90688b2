// The frame of every view: a title that takes the focus, a line about it, a place for news.
import { h } from "./dom.js";

export function page(title, about, ...content) {
  return [
    h("h1", { tabindex: "-1" }, title),
    h("p", { class: "lead" }, about),
    h("div", { class: "notice" }),
    ...content.flat().filter(Boolean),
  ];
}
