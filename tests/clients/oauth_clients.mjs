// openid-client configures itself by the metadata, logs in, refreshes, introspects and revokes; jose and jsonwebtoken verify
// by the published keys.

import assert from "node:assert/strict";
import { createPublicKey } from "node:crypto";
import { createRemoteJWKSet, jwtVerify } from "jose";
import jsonwebtoken from "jsonwebtoken";
import * as client from "openid-client";

const { PORTCULLIS_URL: url, PORTCULLIS_REALM: realm, PORTCULLIS_USER: user } = process.env;
const { PORTCULLIS_EMAIL: username, PORTCULLIS_PASSWORD: password } = process.env;
const { PORTCULLIS_CLIENT_ID: id, PORTCULLIS_CLIENT_SECRET: secret } = process.env;
const issuer = `${url}/${realm}`;

/** As a resource server: by key set, algorithm, issuer, audience and type. */
async function verify(token, clientId, keySet) {
  const expected = { issuer, audience: realm, algorithms: ["ES256"] };
  const { payload } = await jwtVerify(token, createRemoteJWKSet(new URL(keySet)), { ...expected, typ: "at+jwt" });
  const { keys } = await (await fetch(keySet)).json();
  const { kid } = jsonwebtoken.decode(token, { complete: true }).header;
  const key = createPublicKey({ key: keys.find((key) => key.kid === kid), format: "jwk" });
  assert.deepEqual(jsonwebtoken.verify(token, key, expected), payload);
  assert.deepEqual([payload.sub, payload.client_id], [user, clientId]);
}

for (const authentication of [client.ClientSecretBasic, client.ClientSecretPost]) {
  const options = { algorithm: "oauth2", execute: [client.allowInsecureRequests] };
  const config = await client.discovery(new URL(issuer), id, secret, authentication(secret), options);
  const pair = await client.genericGrantRequest(config, "password", { username, password });
  const keySet = config.serverMetadata().jwks_uri;
  await verify(pair.access_token, id, keySet);
  const profile = await client.fetchProtectedResource(config, pair.access_token, new URL(`${issuer}/`), "GET");
  assert.equal((await profile.json()).email, username);
  const refreshed = await client.refreshTokenGrant(config, pair.refresh_token);
  await verify(refreshed.access_token, id, keySet);
  const told = await client.tokenIntrospection(config, refreshed.access_token);
  assert.deepEqual([told.active, told.sub, told.client_id], [true, user, id]);
  await client.tokenRevocation(config, refreshed.refresh_token);
  assert.equal((await client.tokenIntrospection(config, refreshed.access_token)).active, false);
  await assert.rejects(client.refreshTokenGrant(config, refreshed.refresh_token), { error: "invalid_grant" });
}
const wrong = await client.discovery(new URL(issuer), id, "wrong", client.ClientSecretPost("wrong"), {
  algorithm: "oauth2",
  execute: [client.allowInsecureRequests],
});
await assert.rejects(client.genericGrantRequest(wrong, "password", { username, password }), { status: 401 });
console.log("openid-client, jose and jsonwebtoken: logged in and verified");
