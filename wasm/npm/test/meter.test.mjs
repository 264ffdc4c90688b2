// The element in Chromium, under a strict policy: what it says, to whom, and that nothing leaves the page.

import assert from "node:assert/strict";
import { test } from "node:test";
import { served, STRICT } from "./browser.mjs";

const FORM = `<label>Name <input id="who"></label><label>Mail <input id="mail"></label><label>Password <input id="pw" type="password"></label>
<portcullis-password-meter for="pw" names-from="who" email-from="mail" app-name="Portcullis"></portcullis-password-meter>`;

async function opened(test, csp) {
  const page = await served(process.env.PACKAGE, {}, csp);
  test.after(() => page.close());
  await page.evaluate(async (form) => {
    document.querySelector("main").innerHTML = form;
    await import("/web/meter.js");
  }, FORM);
  return page;
}

test("it measures, speaks, and keeps the password to itself", async (test) => {
  const page = await opened(test, STRICT);
  const requests = [];
  page.on("request", (request) => requests.push(request.url()));
  const meter = page.getByRole("meter", { name: "Password strength" });
  assert.equal(requests.length, 0);
  await page.fill("#pw", "password");
  await page.locator("portcullis-password-meter[score='0']").waitFor();
  assert.equal(await meter.getAttribute("aria-valuenow"), "0");
  assert.equal(await meter.getAttribute("aria-valuetext"), "Very weak");
  await page.getByText("This is a top-10 common password.").first().waitFor();
  assert.ok(requests.some((url) => url.endsWith("strength.wasm")));
  const before = requests.length;
  await page.fill("#pw", "featherstonehaugh kq7");
  await page.locator("portcullis-password-meter[score='4']").waitFor();
  assert.ok(await page.locator("portcullis-password-meter[enough]").count());
  await page.fill("#who", "Featherstonehaugh");
  await page.locator("portcullis-password-meter:not([score='4'])").waitFor();
  assert.equal(requests.length, before);
  assert.deepEqual([page.foreign, page.refused], [[], []]);
  assert.equal(await page.getByRole("status").getAttribute("aria-live"), "polite");
});

test("it speaks German, and other languages by code", async (test) => {
  const page = await opened(test, STRICT);
  await page.evaluate(() => document.querySelector("portcullis-password-meter").setAttribute("lang", "de"));
  await page.fill("#pw", "password");
  await page.getByText("Das ist eines der zehn häufigsten Passwörter.").first().waitFor();
  await page.evaluate(() => { document.querySelector("portcullis-password-meter").texts = { score_0: "Très faible" }; });
  await page.fill("#pw", "123456");
  await page.getByRole("meter").and(page.locator("[aria-valuetext='Très faible']")).waitFor();
});

test("without 'wasm-unsafe-eval' it says what is missing", async (test) => {
  const page = await opened(test, STRICT.replace(" 'wasm-unsafe-eval'", ""));
  const error = await page.evaluate(async () => {
    const { ready, email } = await import("/web/index.js");
    const said = await ready().then(() => undefined, (error) => [error.code, error.message]);
    return [...said, email.parse("a@b.de").issues[0].code];
  });
  assert.equal(error[0], "wasm_blocked");
  assert.match(error[1], /'wasm-unsafe-eval'/);
  assert.equal(error[2], "not_loaded");
  await page.fill("#pw", "password");
  await page.getByText("The strength cannot be shown here.").first().waitFor();
});
