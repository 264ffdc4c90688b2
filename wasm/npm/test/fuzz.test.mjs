// Anything at all is answered with codes and paths, in bounded time: nothing throws, and no module traps.

import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";

const entry = (name) => import(pathToFileURL(join(process.env.PACKAGE, "node", name)));
const index = await entry("index.js");
const { loadStrength, strength, password } = await entry("strength.js");
const { email, phone, name, countryCode, passwordPolicy, registration, ready } = index;
const VALIDATORS = { email, phone, name, countryCode, passwordPolicy, password, registration };

const seed = Number(process.env.FUZZ_SEED ?? Math.floor(Math.random() * 2 ** 31));
console.log(`FUZZ_SEED=${seed}`);
let state = seed;
const below = (end) => {
  state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
  return Math.floor((state / 0x80000000) * end);
};

const throwing = new Proxy({}, { get: () => { throw new Error("no"); }, ownKeys: () => { throw new Error("no"); }, has: () => { throw new Error("no"); } });
const revoked = (() => { const made = Proxy.revocable({}, {}); made.revoke(); return made.proxy; })();
const getter = Object.defineProperty({}, "email", { get: () => { throw null; } });
const ten = 10 * 2 ** 20;
const STRANGE = [undefined, null, true, 0, -0, NaN, Infinity, 2n ** 70n, Symbol("s"), () => {}, {}, [], [1], new Date(NaN), new Map(), /x/, throwing, revoked, getter,
  { toString: () => { throw new Error("no"); } }, Object.create(null), new String("a@b.de"), "\ud800", "\udfff\ud800", "a\ud800@b.de", "\u0000", "😀".repeat(40000), "😀".slice(0, 1).repeat(70000),
  "a".repeat(ten), " ".repeat(ten), "\u0301".repeat(ten), "ﷺ".repeat(4096), "ﷺ".repeat(230), "@".repeat(ten), `a@${"b.".repeat(ten / 2)}`, "+1".repeat(ten / 2), "aB3".repeat(ten / 3), "4@8({[<3691!|170$5+7%2".repeat(40),
  "abcabcab".repeat(13), "xn--".repeat(16), "1.1.1.1.1.1".repeat(9)];

function sane(result, where) {
  assert.equal(typeof result.ok, "boolean", where);
  if (result.ok) return assert.notEqual(result.value, undefined, where);
  assert.ok(result.issues.length > 0, where);
  for (const { code, message, path } of result.issues) {
    assert.match(code, /^[a-z_]+$/, where);
    assert.ok(!["internal", "not_loaded"].includes(code), `${where}: ${message}`);
    assert.equal(typeof message, "string");
    assert.ok(Array.isArray(path));
  }
}

function feed(value, other) {
  for (const [which, validator] of Object.entries(VALIDATORS)) {
    const began = performance.now();
    const where = `${which} of ${typeof value} ${typeof value === "string" ? JSON.stringify(value.slice(0, 60)) : ""}`;
    sane(validator.parse(value), where);
    sane(validator.parse(value, other), where);
    const standard = validator["~standard"].validate(value);
    assert.ok("value" in standard || standard.issues.length > 0, where);
    assert.ok(performance.now() - began < 3000, `${where} took ${performance.now() - began} ms`);
  }
  const found = strength(value, { names: other, email: other, appName: other });
  assert.ok(found.score >= 0 && found.score <= 4 && Number.isFinite(found.guessesLog10));
  sane(registration.parse({ first_name: value, last_name: other, email: value, phone: other, country_code: value, password: value }, other), "form");
}

test("before anything is loaded nothing throws either", async () => {
  for (const validator of Object.values(VALIDATORS)) assert.equal(validator.parse("x").issues[0].code, "not_loaded");
  assert.equal(strength("x").score, 0);
  assert.equal((await email["~standard"].validate("a@b.de")).value.shown, "a@b.de");
});

test("strange values", async () => {
  await ready();
  await loadStrength();
  for (const value of STRANGE) for (const other of [undefined, value, throwing, "US"]) feed(value, other);
});

test("every error of a form is told at once, with its path", async () => {
  const { issues } = registration.parse({ first_name: 1, email: "nobody", phone: "+49301234567", country_code: "US", password: "abc" });
  assert.deepEqual(issues.map(({ path, code }) => [path[0], code]), [
    ["first_name", "wrong_type"], ["email", "email_invalid"], ["phone", "phone_country_mismatch"],
    ["password", "password_too_short"], ["password", "password_too_weak"],
  ]);
});

test("ten thousand texts by chance", () => {
  const units = [0x20, 0x7f, 0x85, 0xad, 0x300, 0x301, 0x5d0, 0x627, 0x1100, 0x1161, 0x200d, 0x202e, 0x2028, 0xd83d, 0xde00, 0xd800, 0xdfff, 0xfdfa, 0xfeff, 0xffff];
  const pieces = ["@", ".", "xn--", "+1", "+49", "password", "1991", "qwerty", "aaa", "abc", '"', "\\", "-", "4@$$", "\n"];
  for (let round = 0; round < 10_000; round += 1) {
    let text = "";
    for (let at = below(12); at >= 0; at -= 1) {
      const kind = below(4);
      text += kind === 0 ? String.fromCharCode(units[below(units.length)]) : kind === 1 ? pieces[below(pieces.length)] : kind === 2 ? String.fromCharCode(below(0x10000)) : String.fromCharCode(33 + below(94));
    }
    feed(text, text.slice(1));
  }
});

test("after all that both modules still answer", () => {
  assert.deepEqual(email.parse("A@MÜNCHEN.de").value, { shown: "A@MÜNCHEN.de", canonical: "a@xn--mnchen-3ya.de" });
  assert.equal(strength("password").score, 0);
});
