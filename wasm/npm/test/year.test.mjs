// Dates in a password are judged by the year that the page gives, or by that of its clock.

import assert from "node:assert/strict";
import { join } from "node:path";
import { mock, test } from "node:test";
import { pathToFileURL } from "node:url";

const entry = (name) => import(pathToFileURL(join(process.env.PACKAGE, "node", name)));
const { registration } = await entry("index.js");
const { loadStrength, strength, password } = await entry("strength.js");
await loadStrength();

// 35 years between are just enough for score 3
const OLD = "kqz13.12.1991";
const NEXT_YEAR = "kqz01.01.2027";
const FORM = { first_name: "Ada", last_name: "Byron", email: "ada@example.com", phone: "+441234567890", country_code: "GB" };

test("an old date is judged by the year that is given", () => {
  const scores = [2025, 2026].map((currentYear) => strength(OLD, { currentYear }).score);
  assert.deepEqual(scores, [2, 3]);
  assert.deepEqual([2025, 2026].map((currentYear) => password.parse(OLD, { currentYear }).ok), [false, true]);
  const form = { ...FORM, password: OLD };
  assert.deepEqual([2025, 2026].map((currentYear) => registration.parse(form, { currentYear }).ok), [false, true]);
});

test("next year's date is judged by the year that is given", () => {
  assert.deepEqual([1992, 2026, 2027].map((currentYear) => strength(NEXT_YEAR, { currentYear }).score), [3, 2, 2]);
});

test("without a year the page's clock gives it", () => {
  for (const currentYear of [2025, 2026]) {
    mock.timers.enable({ apis: ["Date"], now: new Date(currentYear, 6, 1) });
    for (const strange of [undefined, null, "1950", Number.NaN, -1, 2026.5]) {
      assert.equal(strength(OLD, { currentYear: strange }).score, strength(OLD, { currentYear }).score);
    }
    mock.timers.reset();
  }
});

test("a year beyond all bounds is no reason to fail", () => {
  for (const currentYear of [0, 2 ** 31, 2 ** 32 - 1, Number.MAX_SAFE_INTEGER]) assert.ok(strength(OLD, { currentYear }).score >= 2);
});
