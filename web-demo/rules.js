// The rules under the fields: the server's own, from the npm package. If it cannot be loaded (a browser without
// WebAssembly, a policy without 'wasm-unsafe-eval'), the fields are checked by the server alone, and the page says so.

import { h } from "./dom.js";

let rules = null;
let strength = null;
let loading = null;
let settings = null;

/** Loads the small module. False where there is none. */
export async function loadRules(known) {
  settings = known;
  try {
    const loaded = await import("./pkg/web/index.js");
    await loaded.ready();
    rules = loaded;
  } catch {
    rules = null;
  }
  return rules !== null;
}

/** The first thing wrong in a verdict of the package, or null. */
const first = (verdict) => (verdict.ok ? null : verdict.issues[0]);

export const checks = {
  email: (value) => (rules ? first(rules.email.parse(value, { smtputf8: settings.smtputf8 === true })) : null),
  name: (value) => (rules ? first(rules.name.parse(value)) : null),
  country: (value) => (rules ? first(rules.countryCode.parse(value)) : null),
  phone: (value, all) => (rules ? first(rules.phone.parse(value, all.country_code)) : null),
  // six characters of the alphabet that has no look-alikes; whether it is the right code only the server knows
  code: (value) => (/^\s*[0-9a-z]{6}\s*$/i.test(value) ? null : { code: "code_shape", message: "Six letters and digits, as in the e-mail." }),
  // weighed only once the estimator is there, which is when the field has been used
  password: (words) => (value, all) => (strength ? first(strength.password.parse(value, context(words(all)))) : null),
  otp: (value) => (/^\s*\d{6}\s*$/.test(value) ? null : { code: "otp_malformed", message: "" }),
};

/** What a password must not lean on, and what the operator asks of it. */
const context = ({ names, email }) => ({
  names, email, appName: settings.app_name,
  minLength: settings.password.min_length, maxLength: settings.password.max_length, minScore: settings.password.min_score,
});

/** Loads the estimator, once, and gives a meter for a field and a way to tell it the words; null where there is none. */
export async function loadMeter(input, words) {
  try {
    loading ??= load();
    strength = await loading;
  } catch {
    return null;
  }
  // the element reads its words from fields; these two hold them, wherever on the page, or not on it, they come from
  const names = h("input", { type: "hidden", id: `${input.id}-names` });
  const email = h("input", { type: "hidden", id: `${input.id}-email` });
  const meter = h("portcullis-password-meter", {
    for: input.id, lang: "en", "names-from": names.id, "email-from": email.id,
    "app-name": settings.app_name, "min-score": settings.password.min_score,
  });
  const tell = (all) => {
    const known = words(all);
    names.value = known.names.join(" ");
    email.value = known.email;
    email.dispatchEvent(new Event("input", { bubbles: true }));
  };
  return { parts: [meter, names, email], tell };
}

async function load() {
  const [loaded] = await Promise.all([import("./pkg/web/strength.js"), import("./pkg/web/meter.js")]);
  await loaded.loadStrength();
  return loaded;
}
