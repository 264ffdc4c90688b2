// Forms: a label, a hint and a place for what is wrong beside every field; checked while someone types, but never before
// they have had their say; what the server finds is shown at the field it names.
import { announce, h, icon, ICONS } from "./dom.js";
import { loadMeter } from "./rules.js";
import { atField, inWords } from "./messages.js";

let count = 0;

/**
 * A field. `check(value, values)` gives what is wrong (`{code, message}`) or null; `after` names fields whose verdict
 * depends on this one.
 */
export function field({ name, label, type = "text", hint = null, value = "", check = null, after = [], meter = null, options = null, ...attributes }) {
  const id = `f${++count}-${name}`;
  const describedBy = `${hint ? `${id}-hint ` : ""}${id}-wrong`;
  const shared = { id, name, "aria-describedby": describedBy, ...attributes };
  const input = options ? h("select", shared, options) : h("input", { type, value, ...shared });
  if (options && value) input.value = value;
  const wrong = h("p", { class: "wrong", id: `${id}-wrong` });
  const control = type === "password" ? h("div", { class: "control" }, input, eye(input, label)) : h("div", { class: "control" }, input);
  const root = h("div", { class: `field field-${name}` },
    h("label", { for: id }, label),
    control,
    hint && h("p", { class: "hint", id: `${id}-hint` }, hint),
    wrong);
  const self = { name, label, input, root, check, after, touched: false, meter: null, show, verdict: null };

  function show(issue) {
    self.verdict = issue;
    wrong.replaceChildren(...(issue ? [atField(issue, self.meter !== null)] : []));
    if (issue) wrong.dataset.code = issue.code;
    else delete wrong.dataset.code;
    if (issue) input.setAttribute("aria-invalid", "true");
    else input.removeAttribute("aria-invalid");
    root.classList.toggle("bad", Boolean(issue));
    root.classList.toggle("good", !issue && self.touched && input.value !== "" && Boolean(check));
  }

  if (meter) {
    // on first use of the field, and not before: the estimator is by far the largest thing on this page
    input.addEventListener("focus", async () => {
      const made = await loadMeter(input, meter);
      if (!made) return;
      self.meter = made;
      control.after(...made.parts);
      self.arrived?.();
    }, { once: true });
  }
  return self;
}

function eye(input, label) {
  const shut = icon(ICONS.eyeOff);
  const open = icon(ICONS.eye);
  const button = h("button", { type: "button", class: "eye", "aria-pressed": "false", "aria-label": `Show: ${label}`, click: () => {
    const shown = input.type === "text";
    input.type = shown ? "password" : "text";
    button.setAttribute("aria-pressed", String(!shown));
    button.replaceChildren(shown ? open : shut);
  } }, open);
  return button;
}

/** Puts a value in as if it had been typed. */
export function put({ input }, value) {
  input.value = value;
  input.dispatchEvent(new Event("input", { bubbles: true }));
}

/** A form of such fields. `send(values)` does the work; what it throws is shown where it belongs. */
export function form({ name, fields, submit, send, extra = null, danger = false }) {
  const alert = h("div", { class: "alert", role: "alert", hidden: true });
  const button = h("button", { type: "submit", class: danger ? "danger" : "primary" }, h("span", {}, submit));
  // the fields' own verdicts are shown, not the browser's bubbles
  const actions = h("div", { class: "actions" }, button, extra);
  const root = h("form", { novalidate: true, name, "aria-label": submit }, alert, fields.map((each) => each.root), actions);
  const of = (wanted) => fields.find((each) => each.name === wanted);
  const values = () => Object.fromEntries(fields.map((each) => [each.name, each.input.value]));

  const judge = (each) => {
    const value = each.input.value;
    if (value === "" && each.input.required) return { code: "required", message: "" };
    return value === "" ? null : (each.check?.(value, values()) ?? null);
  };
  const look = (each) => each.show(judge(each));

  for (const each of fields) {
    // what was typed while the estimator was on its way is judged now
    each.arrived = () => {
      each.meter.tell(values());
      if (each.touched && each.input.value !== "") look(each);
    };
    const changed = () => {
      if (each.touched || each.verdict) look(each);
      for (const name of each.after) {
        const other = of(name);
        other?.meter?.tell(values());
        if (other?.touched && other.input.value !== "") look(other);
      }
    };
    each.input.addEventListener("input", changed);
    each.input.addEventListener("change", changed);
    each.input.addEventListener("blur", (event) => {
      // on the way to the button nothing may appear that would push it from under the pointer; sending looks anyway
      if (each.input.value === "" || event.relatedTarget === button) return;
      each.touched = true;
      look(each);
    });
  }

  const complain = (words) => {
    alert.replaceChildren(...[words].flat().map((line) => h("p", {}, line)));
    alert.hidden = false;
  };

  // The server asks for the password only where the login is not recent: the field appears then, and `send` gets it.
  const askPassword = () => {
    const password = field({ name: "password", label: "Your password", type: "password", autocomplete: "current-password", required: true });
    fields.push(password);
    actions.before(password.root);
    password.input.focus();
  };

  const refuse = (problem) => {
    if (problem.code === "reauthentication_required" && !of("password")) askPassword();
    const elsewhere = [];
    for (const error of problem.errors) {
      const each = of(error.field);
      if (each) {
        each.touched = true;
        // a field shows the first of its problems
        if (!each.verdict) each.show(error);
      } else {
        elsewhere.push(`${error.field}: ${inWords(error)}`);
      }
    }
    const single = ({ wrong_password: "current_password", email_taken: "email" })[problem.code];
    const target = of(single) ?? (problem.code === "wrong_password" ? of("password") : null);
    if (problem.errors.length === 0 && target) target.show({ code: problem.code, message: problem.message });
    else if (problem.errors.length === 0) complain(inWords(problem));
    else if (elsewhere.length > 0) complain(elsewhere);
    toFirstWrong();
  };

  const toFirstWrong = () => {
    const wrong = fields.filter((each) => each.verdict);
    wrong[0]?.input.focus();
    if (wrong.length > 0) announce(wrong.length === 1 ? `${wrong[0].label}: ${inWords(wrong[0].verdict)}` : `${wrong.length} fields need another look. First: ${wrong[0].label}.`);
  };

  root.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (root.dataset.busy) return;
    alert.hidden = true;
    for (const each of fields) {
      each.touched = true;
      look(each);
    }
    if (fields.some((each) => each.verdict)) return toFirstWrong();
    root.dataset.busy = "true";
    button.setAttribute("aria-disabled", "true");
    for (const each of fields) each.show(null);
    try {
      await send(values());
    } catch (problem) {
      if (!(problem && Array.isArray(problem.errors))) throw problem;
      refuse(problem);
    } finally {
      delete root.dataset.busy;
      button.removeAttribute("aria-disabled");
    }
  });

  return { root, of, values, complain };
}

/** A button that does one thing outside a form, and says so if it cannot. */
export function action(label, work, attributes = {}) {
  const button = h("button", { type: "button", class: "quiet", ...attributes, click: async () => {
    if (button.getAttribute("aria-disabled")) return;
    button.setAttribute("aria-disabled", "true");
    try {
      await work();
    } catch (problem) {
      if (!(problem && Array.isArray(problem.errors))) throw problem;
      announce(inWords(problem));
      let place = button.closest(".card")?.querySelector(".notice");
      place?.replaceChildren(h("p", { class: "alert-line" }, inWords(problem)));
    } finally {
      button.removeAttribute("aria-disabled");
    }
  } }, label);
  return button;
}
