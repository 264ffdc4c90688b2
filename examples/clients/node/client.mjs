// Logs a user in, verifies the access token in both ways, refreshes the tokens and logs out.

import { createRemoteJWKSet, jwtVerify } from "jose";

const { PORTCULLIS_URL, REALM, EMAIL, PASSWORD, CLIENT_ID, CLIENT_SECRET } = process.env;

// the addresses of the realm's endpoints (RFC 8414)
const metadata = await (await fetch(`${PORTCULLIS_URL}/.well-known/oauth-authorization-server/${REALM}`)).json();

async function post(endpoint, form, headers = {}) {
  const response = await fetch(endpoint, { method: "POST", body: new URLSearchParams(form), headers });
  const body = await response.json();
  if (!response.ok) throw new Error(`${endpoint}: ${response.status} ${body.code}: ${body.detail}`);
  return body;
}

/** Logs a user in; `address` is the user's, so that the rate limit counts each user and not this program. */
const logIn = (address) =>
  post(
    metadata.token_endpoint,
    { grant_type: "password", username: EMAIL, password: PASSWORD },
    { "X-Forwarded-For": address },
  );

/** Verifies a token with the public keys. `jose` fetches and caches them. A logout counts when the token expires. */
const keys = createRemoteJWKSet(new URL(metadata.jwks_uri));
async function verifyByKeys(token) {
  const options = { issuer: metadata.issuer, audience: REALM, typ: "at+jwt", algorithms: ["EdDSA"] };
  return (await jwtVerify(token, keys, options)).payload;
}

/** Asks the server about a token. A logout counts at once. */
async function introspect(token) {
  const credentials = Buffer.from(`${CLIENT_ID}:${CLIENT_SECRET}`).toString("base64");
  return post(metadata.introspection_endpoint, { token }, { Authorization: `Basic ${credentials}` });
}

const login = await logIn("203.0.113.7");
console.log("keys", (await verifyByKeys(login.access_token)).sub);
console.log("introspection", (await introspect(login.access_token)).sub);

const renewed = await post(metadata.token_endpoint, { grant_type: "refresh_token", refresh_token: login.refresh_token });
console.log("refreshed", (await verifyByKeys(renewed.access_token)).sub);

await post(metadata.revocation_endpoint, { token: renewed.access_token });
console.log("active after logout", (await introspect(renewed.access_token)).active);
