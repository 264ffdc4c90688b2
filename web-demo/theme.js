// Light or dark: what the system asks for until someone chooses. Only the choice is kept, and only as one word.
"use strict";
(() => {
  const key = "portcullis-demo-theme";
  const root = document.documentElement;
  const system = matchMedia("(prefers-color-scheme: dark)");
  // storage may be switched off altogether; the theme then lasts as long as the page
  const read = () => { try { return localStorage.getItem(key); } catch { return null; } };
  const write = (theme) => { try { localStorage.setItem(key, theme); } catch { /* see above */ } };
  const now = () => root.dataset.theme ?? (system.matches ? "dark" : "light");
  const chosen = read();
  if (chosen === "light" || chosen === "dark") root.dataset.theme = chosen;

  document.addEventListener("DOMContentLoaded", () => {
    const button = document.getElementById("theme");
    const say = () => {
      const other = now() === "dark" ? "light" : "dark";
      button.setAttribute("aria-label", `Switch to the ${other} theme`);
      button.dataset.now = now();
    };
    button.addEventListener("click", () => {
      root.dataset.theme = now() === "dark" ? "light" : "dark";
      write(root.dataset.theme);
      say();
    });
    system.addEventListener("change", say);
    say();
  });
})();
