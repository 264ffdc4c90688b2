// E-mail, phone, name, country code, password policy and a whole registration, over the first module.

import * as glue from "../glue/validators.js";
import { issue, refused, resultOf } from "./issues.js";
import { wasmModule } from "./module.js";
import { withSchema } from "./schema.js";
import { memberOf, textOf } from "./value.js";

const FIELDS = ["first_name", "last_name", "email", "phone", "country_code", "password"];
const NOT_LOADED = "Nothing is checked yet: await ready() first.";

export function createValidators(source) {
  const module = wasmModule(glue, source);
  /** Set by the second module once it is loaded: what is wrong with a password's strength. */
  const strength = { weakness: undefined };

  const title = (code) => glue.title(code) ?? code;
  const coded = (code, path) => issue(code, title(code), path);

  /** Nothing a page hands in makes this throw. */
  function guarded(run) {
    if (!module.loaded) return refused(issue("not_loaded", NOT_LOADED));
    try {
      return run();
    } catch (error) {
      return refused(issue("internal", `The value could not be checked: ${error?.name}`));
    }
  }

  /** A validator of one text. */
  function ofText(row, valueOf) {
    const parse = (value, ...rest) =>
      guarded(() => {
        const { text, code } = textOf(value);
        return code ? refused(coded(code)) : resultOf(row(text, ...rest), valueOf);
      });
    return withSchema({ parse }, module);
  }

  const email = ofText((text, options) => glue.email(text, optionsOf(options).smtputf8), ([shown, canonical]) => ({ shown, canonical }));
  const name = ofText(glue.name, ([normal]) => normal);
  const countryCode = ofText(glue.country_code, ([code]) => code);

  const phone = ofText(
    (number, country) => {
      if (country === undefined || country === null || country === "") return glue.international_phone(number);
      const { text, code } = textOf(country);
      return code ? ["no", "country_code", code, title(code)] : glue.phone(number, text);
    },
    ([e164, country]) => ({ e164, country }),
  );

  const passwordPolicy = ofText(
    (text, rules) => glue.password_policy(text, ...lengths(rules)),
    ([normal]) => normal,
  );

  const registration = withSchema(
    { parse: (form, options) => guarded(() => parseRegistration(form, options)) },
    module,
  );

  function parseRegistration(form, options) {
    if (typeof form !== "object" || form === null) return refused(coded("wrong_type"));
    const early = [];
    const texts = FIELDS.map((field) => {
      const member = memberOf(form, field);
      const { text, code } = member.code ? member : textOf(member.value);
      // what is missing is the module's to say; what is no text is said here, in place of what it says
      if (code && code !== "required") early.push(coded(code, [field]));
      return text;
    });
    const result = resultOf(glue.registration(...texts, ...lengths(options), optionsOf(options).smtputf8), registrationOf, (field) => [field]);
    const replaced = new Set(early.map(({ path }) => path[0]));
    const issues = (result.issues ?? []).filter(({ path }) => !replaced.has(path[0]));
    const password = result.ok ? result.value.password : normalOf(texts[5]);
    const weak = password === undefined ? [] : weaknessOf(password, texts, options);
    const all = [...issues, ...early, ...weak].sort((a, b) => FIELDS.indexOf(a.path[0]) - FIELDS.indexOf(b.path[0]));
    const strengthChecked = strength.weakness !== undefined;
    return all.length > 0 ? { ok: false, issues: all, strengthChecked } : { ...result, strengthChecked };
  }

  function weaknessOf(password, [first, last, email], options) {
    const names = [first, last].filter((text) => text !== undefined);
    const found = strength.weakness?.(password, { ...optionsOf(options), names, email }) ?? [];
    return found.map((one) => ({ ...one, path: ["password"] }));
  }

  /** A password in its normal form, however short; nothing for what is too long to be one. */
  function normalOf(text) {
    const [state, normal] = text === undefined ? [] : glue.password_policy(text, 0, 0xffffffff);
    return state === "ok" ? normal : undefined;
  }

  function lengths(options) {
    const [least, most] = glue.default_lengths();
    const { minLength, maxLength } = optionsOf(options);
    return [count(minLength, least), count(maxLength, most)];
  }

  return {
    api: { ready: module.load, email, phone, name, countryCode, passwordPolicy, registration },
    inner: { module, strength, normalOf, guarded, coded },
  };
}

/** Options that may be anything. */
export function optionsOf(options) {
  const read = (name) => (options === undefined || options === null ? undefined : memberOf(options, name).value);
  const of = (name) => {
    const { text } = textOf(read(name));
    return text;
  };
  return {
    minLength: read("minLength"),
    maxLength: read("maxLength"),
    minScore: read("minScore"),
    smtputf8: read("smtputf8") === true,
    names: read("names"),
    email: of("email"),
    appName: of("appName"),
    currentYear: read("currentYear"),
  };
}

export const count = (value, otherwise) => (Number.isInteger(value) && value >= 0 && value < 2 ** 32 ? value : otherwise);

/** The body of `POST /create`. */
function registrationOf([first_name, last_name, email, phone, country_code, password]) {
  return { first_name, last_name, email, phone, country_code, password };
}
