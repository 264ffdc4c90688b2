// Converts the input of a page, which may have any type, into text for the module, or into the code of its problem.

/** Longer than any request: text beyond it changes no result, and the memory of a module never shrinks. */
const LONGEST = 65_536;

const LONE_SURROGATE = /\p{Surrogate}/u;

/** `{ text }`, or `{ code }` for what is no text. Undefined is a field that is missing. */
export function textOf(value) {
  if (value === undefined) return { code: "required" };
  if (typeof value !== "string") return { code: "wrong_type" };
  const cut = value.length > LONGEST ? value.slice(0, LONGEST).replace(/[\uD800-\uDBFF]$/, "") : value;
  return LONE_SURROGATE.test(cut) ? { code: "value_invalid" } : { text: cut };
}

/** A member of an object, whatever that is: a getter or a proxy may throw. */
export function memberOf(object, name) {
  try {
    return { value: object[name] };
  } catch {
    return { code: "wrong_type" };
  }
}

/** The texts of a list that may be anything; a page's own words are never a reason to fail. */
export function textsOf(list) {
  const texts = [];
  try {
    for (const value of list ?? []) {
      const { text } = textOf(value);
      if (text !== undefined) texts.push(text.slice(0, 1024));
      if (texts.length >= 32) break;
    }
  } catch {
    // what could be read counts
  }
  return texts.filter((text) => !LONE_SURROGATE.test(text));
}
