// A passkey of a real browser: Chromium's virtual authenticator answers the options that the server makes. `node passkeys.mjs
// SERVER ACCESS_TOKEN`. An RP ID can't be an address, so the page is that of `localhost`.
import { equal, launch, truth } from "./browser.mjs";

const [base, token] = process.argv.slice(2);
const browser = await launch();
const page = await browser.newPage();
await page.goto(base);
const cdp = await page.context().newCDPSession(page);
await cdp.send("WebAuthn.enable");
const options = {
  protocol: "ctap2", ctap2Version: "ctap2_1", transport: "internal", hasResidentKey: true, hasUserVerification: true, isUserVerified: true, automaticPresenceSimulation: true,
  defaultBackupEligibility: true, defaultBackupState: true,
};
const { authenticatorId } = await cdp.send("WebAuthn.addVirtualAuthenticator", { options });

async function post(path, status, body, bearer) {
  const headers = { "content-type": "application/json", ...(bearer ? { authorization: `Bearer ${bearer}` } : {}) };
  const answer = await fetch(`${base}User1${path}`, { method: "POST", headers, body: JSON.stringify(body) });
  const text = await answer.text();
  equal(answer.status, status, `${path} ${text}`);
  return JSON.parse(text);
}

const create = (json) => page.evaluate(async (it) => (await navigator.credentials.create({ publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(it) })).toJSON(), json);
const get = (json) => page.evaluate(async (it) => (await navigator.credentials.get({ publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(it) })).toJSON(), json);

const begun = await post("/passkeys/options", 200, {}, token);
const added = await post("/passkeys", 201, { token: begun.token, credential: await create(begun.options), name: "This browser" }, token);
equal([added.name, added.synced, added.backup_codes.length], ["This browser", true, 10], "the passkey");
const { credentials } = await cdp.send("WebAuthn.getCredentials", { authenticatorId });
equal([credentials.length, credentials[0].isResidentCredential, credentials[0].rpId], [1, true, "localhost"], "a discoverable credential");

for (const turn of ["once", "twice"]) {
  const login = await post("/login/passkey/options", 200, {});
  const pair = await post("/login/passkey", 200, { token: login.token, credential: await get(login.options) });
  truth(pair.access_token && pair.refresh_token, `logged in ${turn}`);
}
await cdp.send("WebAuthn.setUserVerified", { authenticatorId, isUserVerified: false });
const login = await post("/login/passkey/options", 200, {});
const refused = await get(login.options).then(() => "signed", () => "refused");
equal(refused, "refused", "no PIN and no finger");
await browser.close();
