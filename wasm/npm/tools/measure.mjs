// Sizes and times beside zxcvbn.js and libphonenumber-js, in one run, in Chromium. A size over its limit fails; times vary
// with the machine's load, so they are only shown.
// usage: node tools/measure.mjs PACKAGE

import { readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { gzipSync } from "node:zlib";
import { buildSync } from "esbuild";
import { served } from "../test/browser.mjs";

const package_ = resolve(process.argv[2]);
/** KB are 1,000 bytes of gzip -9. */
const LIMITS = { validators: 59.9 };

const gzip = (bytes) => gzipSync(bytes, { level: 9 }).length / 1000;
const bundle = (entry, external = []) =>
  buildSync({ stdin: { contents: entry, resolveDir: process.cwd() }, bundle: true, minify: true, format: "esm", write: false, external, alias: { "@portcullis/validators": package_ } }).outputFiles[0].contents;
const wasm = (name) => readFileSync(join(package_, "wasm", `${name}.wasm`));

const sizes = {
  "validators.wasm": gzip(wasm("validators")),
  "validators, JavaScript": gzip(bundle(`export * from "${package_}/web/index.js"`)),
  "strength.wasm": gzip(wasm("strength")),
  "both, JavaScript": gzip(bundle(`export * from "${package_}/web/strength.js"; export * from "${package_}/web/index.js"`)),
  "meter, JavaScript": gzip(bundle(`export * from "${package_}/web/meter.js"`)),
  "zxcvbn 4.4.2": gzip(bundle(`export { default } from "zxcvbn"`)),
  "libphonenumber-js min": gzip(bundle(`export * from "libphonenumber-js/min"`)),
};

const page = await served(package_, { "/zxcvbn.js": bundle(`export { default } from "zxcvbn"`), "/phones.js": bundle(`export * from "libphonenumber-js/min"`) });
const times = await page.evaluate(async (passwords) => {
  const since = (began) => performance.now() - began;
  const began = async (run) => {
    const start = performance.now();
    const result = await run();
    return [since(start), result];
  };
  const median = (values) => values.sort((a, b) => a - b)[values.length >> 1];
  const each = (run) => {
    const rounds = [];
    for (let round = 0; round < 5; round += 1) {
      const start = performance.now();
      for (const password of passwords) run(password);
      rounds.push((since(start) * 1000) / passwords.length);
    }
    return median(rounds);
  };
  const { ready, email, phone, registration } = await import("/web/index.js");
  const { loadStrength, strength } = await import("/web/strength.js");
  const form = { first_name: "Ada", last_name: "Lovelace", email: "ada@example.com", phone: "+441234567890", country_code: "GB", password: "correct horse battery" };
  const [load] = await began(ready);
  const [firstEmail] = await began(() => email.parse("ada@münchen.de"));
  const [loadWords] = await began(loadStrength);
  const [firstStrength] = await began(() => strength("Tr0ub4dour&3"));
  const [loadZxcvbn, zxcvbn] = await began(() => import("/zxcvbn.js"));
  const [firstZxcvbn] = await began(() => zxcvbn.default("Tr0ub4dour&3"));
  const [loadPhones, phones] = await began(() => import("/phones.js"));
  const [firstPhones] = await began(() => phones.isValidPhoneNumber("+441234567890"));
  return {
    "validators: load, ms": load,
    "validators: first call, ms": firstEmail,
    "validators: e-mail, µs": each(() => email.parse("ada.lovelace@example.com")),
    "validators: phone, µs": each(() => phone.parse("+441234567890", "GB")),
    "strength: load, ms": loadWords,
    "strength: first call, ms": firstStrength,
    "strength: median of later calls, µs": each((password) => strength(password)),
    "registration with strength, µs": each(() => registration.parse(form)),
    "zxcvbn 4.4.2: load, ms": loadZxcvbn,
    "zxcvbn 4.4.2: first call, ms": firstZxcvbn,
    "zxcvbn 4.4.2: median of later calls, µs": each((password) => zxcvbn.default(password)),
    "libphonenumber-js min: load, ms": loadPhones,
    "libphonenumber-js min: first call, ms": firstPhones,
    "libphonenumber-js min: later calls, µs": each(() => phones.isValidPhoneNumber("+441234567890")),
  };
}, JSON.parse(readFileSync(new URL("passwords.json", import.meta.url))));
await page.close();

const rows = [...Object.entries(sizes).map(([name, size]) => [`${name}, KB gzip`, size]), ...Object.entries(times)];
for (const [name, value] of rows) console.log(`${name.padEnd(44)} ${value.toFixed(1).padStart(9)}`);
writeFileSync(join(package_, "..", "measured.json"), JSON.stringify(Object.fromEntries(rows), null, 2));

const failed = [
  [sizes["validators.wasm"] <= LIMITS.validators, `validators.wasm is over ${LIMITS.validators} KB`],
  [sizes["strength.wasm"] < sizes["zxcvbn 4.4.2"], "strength.wasm is not smaller than zxcvbn.js"],
].filter(([fine]) => !fine);
for (const [, what] of failed) console.error(what);
process.exitCode = failed.length > 0 ? 1 : 0;
