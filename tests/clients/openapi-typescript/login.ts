// openapi-typescript and openapi-fetch: the generated types compile, and their client logs in.

import assert from "node:assert/strict";
import process from "node:process";
import createClient from "openapi-fetch";
import type { components, paths } from "./schema.js";

type Code = components["schemas"]["Code"];

const { PORTCULLIS_URL: baseUrl, PORTCULLIS_EMAIL, PORTCULLIS_PASSWORD } = process.env;
const api = createClient<paths>({ baseUrl });
const path = { realm: "User1" as const };
const headers = { "content-type": "application/x-www-form-urlencoded" };

const refused = await api.POST("/{realm}/login", {
  params: { path },
  body: { username: PORTCULLIS_EMAIL!, password: "wrong" },
  headers,
});
const code: Code | undefined = refused.error?.code;
assert.equal(code, "invalid_credentials");

const login = await api.POST("/{realm}/login", {
  params: { path },
  body: { username: PORTCULLIS_EMAIL!, password: PORTCULLIS_PASSWORD! },
  headers,
});
const token: string = login.data!.access_token;

const profile = await api.GET("/{realm}", { params: { path }, headers: { authorization: `Bearer ${token}` } });
const verified: boolean = profile.data!.is_email_verified;
assert.equal(verified, true);

const answer = await api.POST("/{realm}/verify", { params: { path }, body: { token: "x".repeat(43), reject: true } });
// a browser gets a page
const problem = typeof answer.error === "object" ? answer.error : undefined;
assert.equal(problem?.code, "invalid_token");
console.log("openapi-fetch: logged in");
