// Accounts made by requests alone, for what begins after a registration.
import { equal } from "./browser.mjs";

export const PASSWORD = "lantern-q7x-meadow-4410";

/** An account of User1 with a verified address, made from a page of the server. */
export async function account(page, base, email) {
  const post = (path, body) => page.evaluate(async ([url, text]) => (await fetch(url, { method: "POST", headers: { "content-type": "application/json" }, body: text })).status, [`${base}User1${path}`, JSON.stringify(body)]);
  equal(await post("/create", { first_name: "Ada", last_name: "", email, phone: "+12025550117", country_code: "US", password: PASSWORD }), 201, "the registration");
  let code;
  for (let tries = 0; code === undefined && tries < 500; tries += 1) {
    const mails = await page.evaluate(async (url) => (await fetch(url, { headers: { accept: "application/json" } })).json(), `${base}dev/mailbox`);
    code = mails.find(({ to, template }) => to === email && template === "mail_email_verify")?.code;
  }
  equal(await post("/verify", { email, code }), 200, "the verification");
}
