// Password strength, over the second module. Texts go through the first one for their normal form, as on the server.

import * as glue from "../glue/strength.js";
import { issuesOf, refused } from "./issues.js";
import { wasmModule } from "./module.js";
import { withSchema } from "./schema.js";
import { count, optionsOf } from "./validators.js";
import { textOf, textsOf } from "./value.js";

/** The widest a normal form gets of what the server takes at all. */
const NOTHING = Object.freeze({ score: 0, guessesLog10: 0, warning: null, suggestions: Object.freeze([]) });

/** Later years count as this one: the module takes 32 bits. */
const LAST_YEAR = 9999;

export function createStrength({ api, inner }, source) {
  const second = wasmModule(glue, source, glue.prepare);
  let both;
  const module = {
    get loaded() {
      return second.loaded && inner.module.loaded;
    },
    load(given) {
      both ??= Promise.all([inner.module.load(), second.load(given)]).then(connect, (error) => {
        both = undefined;
        throw error;
      });
      return both;
    },
  };

  function connect() {
    inner.strength.weakness = weakness;
  }

  const contextOf = (options) => {
    const { names, email, appName, currentYear } = optionsOf(options);
    const year = Math.min(count(currentYear, new Date().getFullYear()), LAST_YEAR);
    return [textsOf(typeof names === "string" ? [names] : names), (email ?? "").slice(0, 1024), (appName ?? "").slice(0, 1024), year];
  };

  /** Issues of a password in its normal form. */
  function weakness(normal, options) {
    const least = Math.min(count(optionsOf(options).minScore, glue.default_score()), 4);
    const [, ...cells] = glue.weakness(normal, least, ...contextOf(options));
    return issuesOf(cells, () => []);
  }

  /** How hard a password is to guess; what is no password is the easiest of all. */
  function strength(password, options) {
    if (!module.loaded) return NOTHING;
    try {
      const normal = inner.normalOf(textOf(password).text);
      if (normal === undefined) return NOTHING;
      const [score, guessesLog10, code, text, ...rest] = glue.estimate(normal, ...contextOf(options));
      const suggestions = [];
      for (let at = 0; at + 1 < rest.length; at += 2) suggestions.push({ code: rest[at], text: rest[at + 1] });
      return { score, guessesLog10, warning: code === "" ? null : { code, text }, suggestions };
    } catch {
      return NOTHING;
    }
  }

  /** Length and strength of a new password. */
  const parse = (value, options) =>
    inner.guarded(() => {
      if (!module.loaded) return refused({ code: "not_loaded", message: "Nothing is measured yet: await loadStrength() first.", path: [] });
      const policy = api.passwordPolicy.parse(value, options);
      const normal = policy.ok ? policy.value : inner.normalOf(textOf(value).text);
      const issues = [...(policy.issues ?? []), ...(normal === undefined ? [] : weakness(normal, options))];
      return issues.length > 0 ? { ok: false, issues } : policy;
    });

  return { loadStrength: module.load, strength, password: withSchema({ parse }, module) };
}
