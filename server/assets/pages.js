// A button at each password field that shows what was typed, and the meter of a new password. Without this file the pages
// do all they have to.

const SVG = "http://www.w3.org/2000/svg";
const EYE = "M2.5 12S6 5.5 12 5.5 21.5 12 21.5 12 18 18.5 12 18.5 2.5 12 2.5 12zM12 9.3a2.7 2.7 0 1 0 0 5.4 2.7 2.7 0 0 0 0-5.4z";
const CROSSED = `${EYE}M4 4l16 16`;

for (const control of document.querySelectorAll(".control[data-show]")) {
  const input = control.querySelector("input");
  const button = document.createElement("button");
  const icon = document.createElementNS(SVG, "svg");
  const line = document.createElementNS(SVG, "path");
  icon.setAttribute("viewBox", "0 0 24 24");
  icon.setAttribute("aria-hidden", "true");
  icon.append(line);
  button.type = "button";
  button.className = "show";
  button.setAttribute("aria-label", control.dataset.show);
  const show = (shown) => {
    input.type = shown ? "text" : "password";
    button.setAttribute("aria-pressed", String(shown));
    line.setAttribute("d", shown ? CROSSED : EYE);
  };
  button.addEventListener("click", () => show(input.type === "password"));
  // a password manager looks for a field of that type
  input.form.addEventListener("submit", () => show(false));
  button.append(icon);
  control.append(button);
  show(false);
}

if (document.querySelector("portcullis-password-meter")) await import("./pkg/web/meter.js");
