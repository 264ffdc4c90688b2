// What a page hands in may be anything at all. Here it becomes text a module can read, or the code of what it is.

/** No request is this long: what follows changes no verdict, and a module's memory never shrinks again. */
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
