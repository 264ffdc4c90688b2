// Lines of JSON in, verdicts out: ["email", "a@b.de"] and so on. Called by tests/parity.
// usage: node evaluate.mjs PACKAGE

import { resolve } from "node:path";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";
import zxcvbn from "zxcvbn";

const entry = (name) => import(pathToFileURL(resolve(process.argv[2], "node", name)));
const { email, phone, name, countryCode, passwordPolicy, registration } = await entry("index.js");
const { loadStrength, strength } = await entry("strength.js");
await loadStrength();

const EVALUATE = {
  email: (value, smtputf8) => email.parse(value, { smtputf8 }),
  phone: (value, country) => phone.parse(value, country),
  name: (value) => name.parse(value),
  country_code: (value) => countryCode.parse(value),
  policy: (value) => passwordPolicy.parse(value),
  registration(...values) {
    const currentYear = values.pop();
    const fields = ["first_name", "last_name", "email", "phone", "country_code", "password"];
    const given = fields.map((field, at) => [field, values[at] ?? undefined]);
    const { strengthChecked, ...result } = registration.parse(Object.fromEntries(given), { appName: "Portcullis", currentYear });
    return strengthChecked ? result : "not measured";
  },
  strength: (value, names, address, appName, currentYear) => strength(value, { names, email: address, appName, currentYear }),
  // the first hundred characters, as the server measures them
  "zxcvbn.js": (value) => zxcvbn([...value].slice(0, 100).join("")).score,
};

for await (const line of createInterface({ input: process.stdin })) {
  const [kind, ...values] = JSON.parse(line);
  process.stdout.write(`${JSON.stringify(EVALUATE[kind](...values))}\n`);
}
