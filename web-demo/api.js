// The one file that talks to the server: every request of the demo is here, and nothing else of it is.
//
// The access token lives in a variable of this module, in no storage that an injected script, an extension or a stolen
// profile folder can read. The refresh token has two places to choose from:
//
// - The body mode, the server's default: a variable of this module too. A reload asks for the password again.
// - Cookie mode (`?tokens=cookie`, the switch at the login): the HttpOnly cookie that the server sets. No script can read
//   it, and a reload stays logged in. The server takes it only from a page of its own origin or of CORS_ORIGINS, with the
//   header that `send` adds.
//
// The policy of the page (no inline script, no foreign script, trusted types) keeps strangers' code out in the first place.

let access = null;
let refreshToken = null;
let refreshing = null;
let inCookie = new URLSearchParams(location.search).get("tokens") === "cookie";

/** Words about what went over the wire: method, path without query, status, time. Never a body. */
export const wire = new EventTarget();

/** Fires `ended` when the server has put the person out. */
export const session = new EventTarget();

/** An answer that is an error: RFC 9457's members, and what is wrong with which field. */
export class Problem extends Error {
  constructor(status, body, retryAfter = null) {
    super(body.detail ?? body.title ?? "The server said no");
    this.status = status;
    this.code = body.code ?? "unknown";
    this.errors = Array.isArray(body.errors) ? body.errors : [];
    this.body = body;
    this.retryAfter = retryAfter;
  }
}

let base = new URL("..", document.baseURI);
let realm = "";

/** Reads settings.json and decides which server is asked. */
export async function connect() {
  const settings = await (await fetch("settings.json", { cache: "no-cache" })).json();
  base = new URL(serverOf(settings), document.baseURI);
  if (!base.pathname.endsWith("/")) base.pathname += "/";
  const asked = new URLSearchParams(location.search).get("realm");
  realm = settings.realms.includes(asked) ? asked : settings.realms[0];
  return { ...settings, realm, server: base.origin };
}

// A link must not send a password to another server: `?server=` may name this machine, or a server that is listed in
// settings.json.
function serverOf(settings) {
  const asked = new URLSearchParams(location.search).get("server");
  if (!asked) return settings.server;
  const url = URL.parse?.(asked) ?? new URL(asked, document.baseURI);
  const local = ["127.0.0.1", "localhost"].includes(url.hostname);
  if (local || settings.servers.includes(url.origin)) return url.href;
  throw new Problem(0, { code: "server_not_listed", detail: `${url.origin} is not a server this page may talk to` });
}

export function useRealm(name) {
  realm = name;
  forget();
}

export const isLoggedIn = () => access !== null;

function forget() {
  access = null;
  refreshToken = null;
}

function keep(pair) {
  access = pair.access_token;
  refreshToken = pair.refresh_token ?? null; // it may be in the cookie
}

// ---- where the refresh token is -------------------------------------------------------------------------------------

export const tokensInCookie = () => inCookie;

/** Chooses for the next login. The address keeps the choice, so that a reload knows where to look. */
export async function keepTokensInCookie(on) {
  // the cookie of an earlier login must not stay behind
  if (inCookie && !on) await send("POST", `${realm}/logout`, { quiet: true }).catch(() => null);
  inCookie = on;
  const address = new URL(location.href);
  if (on) address.searchParams.set("tokens", "cookie");
  else address.searchParams.delete("tokens");
  history.replaceState(null, "", address);
}

/** After a reload: the profile of the cookie's session, or null. */
export async function resume() {
  if (!inCookie) return null;
  try {
    keep((await send("POST", `${realm}/token`, { form: { grant_type: "refresh_token" } })).body);
    return await profile();
  } catch {
    forget();
    return null;
  }
}

const delivery = () => (inCookie ? { token_delivery: "cookie" } : {});

// ---- one request ----------------------------------------------------------------------------------------------------

async function send(method, path, { json, form, query, bearer, headers = {}, quiet = false } = {}) {
  const url = new URL(path, base);
  if (query) url.search = new URLSearchParams(query);
  const request = { method, headers: { accept: "application/json", ...headers }, credentials: inCookie ? "include" : "omit", cache: "no-store" };
  if (inCookie && method === "POST") request.headers["x-requested-with"] = "fetch";
  if (json !== undefined) {
    request.headers["content-type"] = "application/json";
    request.body = JSON.stringify(json);
  } else if (form) {
    request.body = new URLSearchParams(form); // its type comes with it
  }
  if (bearer) request.headers.authorization = `Bearer ${bearer}`;
  request.signal = AbortSignal.timeout(20_000);

  const began = performance.now();
  const told = (status, code) => {
    const detail = { method, path: url.pathname, status, code, ms: Math.round(performance.now() - began) };
    if (!quiet) wire.dispatchEvent(new CustomEvent("exchange", { detail }));
  };
  let response;
  try {
    response = await fetch(url, request);
  } catch {
    told(0, "unreachable");
    throw new Problem(0, { code: "unreachable", detail: "The server cannot be reached right now" });
  }
  const type = response.headers.get("content-type") ?? "";
  const body = /[/+]json/.test(type) ? await response.json().catch(() => ({})) : {};
  told(response.status, response.ok ? null : body.code);
  if (!response.ok) throw new Problem(response.status, body, Number(response.headers.get("retry-after")) || null);
  return { body, etag: response.headers.get("etag") };
}

/** With the access token; a 401 renews the tokens once and tries once more, and then it is over. */
async function authorised(method, path, options = {}) {
  const used = access;
  try {
    return await send(method, path, { ...options, bearer: used });
  } catch (problem) {
    if (problem.status !== 401) throw problem;
    // another request may have renewed them while this one was under way
    if (access === used) await refresh();
    try {
      return await send(method, path, { ...options, bearer: access });
    } catch (again) {
      if (again.status === 401) end();
      throw again;
    }
  }
}

// One exchange at a time, however many requests wait for it: the server takes a refresh token presented twice for a
// lost answer or for theft, and neither is what happened here.
function refresh() {
  refreshing ??= renew().finally(() => { refreshing = null; });
  return refreshing;
}

async function renew() {
  if (!refreshToken && !inCookie) return;
  try {
    const form = { grant_type: "refresh_token", ...(refreshToken ? { refresh_token: refreshToken } : {}) };
    keep((await send("POST", `${realm}/token`, { form })).body);
  } catch (problem) {
    // only the server's own no ends the session: a lost connection may come back
    if (problem.status === 400 || problem.status === 401) end();
    throw problem;
  }
}

function end() {
  forget();
  session.dispatchEvent(new Event("ended"));
}

// ---- at the gate ----------------------------------------------------------------------------------------------------

export const register = (form) => send("POST", `${realm}/create`, { json: form });
export const verifyCode = (email, code) => send("POST", `${realm}/verify`, { json: { email, code } });
export const verifyLink = (token) => send("POST", `${realm}/verify`, { json: { token } });
export const rejectLink = (token) => send("POST", `${realm}/verify`, { json: { token, reject: true } });
export const resend = (email) => send("POST", `${realm}/resend_verification`, { json: { email } });
export const forgot = (email) => send("POST", `${realm}/forget_password`, { json: { email } });
export const reset = (token, password) => send("POST", `${realm}/reset_password`, { json: { token, password } });

export async function logIn(username, password) {
  const device = deviceTokens.get(realm);
  const form = { grant_type: "password", username, password, ...(device && { device_token: device }), ...delivery() };
  keep((await send("POST", `${realm}/login`, { form })).body);
}

// Tokens of remembered devices, by realm. An application keeps them in its storage; this page has none.
const deviceTokens = new Map();

async function answerChallenge(mfaToken, answer, remember) {
  const json = { mfa_token: mfaToken, ...answer, ...(remember && { remember_device: true }), ...delivery() };
  const { body } = await send("POST", `${realm}/login/mfa`, { json });
  if (body.device_token) deviceTokens.set(realm, body.device_token);
  keep(body);
}

export const secondFactor = (mfaToken, otp, method = null, remember = false) => answerChallenge(mfaToken, { otp, ...(method && { method }) }, remember);
export const secondFactorByPasskey = (mfaToken, credential, remember = false) => answerChallenge(mfaToken, { credential }, remember);

export const passkeyChallenge = () => send("POST", `${realm}/login/passkey/options`);
export async function logInByPasskey(token, credential) {
  keep((await send("POST", `${realm}/login/passkey`, { json: { token, credential, ...delivery() } })).body);
}

export const confirmEnrolment = (token, code) => send("POST", `${realm}/login/enrolment`, { json: { enrolment_token: token, code } });
/** The first factor; the backup codes that come with it. */
export async function enrol(token, factor) {
  const { body } = await send("POST", `${realm}/login/enrolment/factor`, { json: { enrolment_token: token, ...factor, ...delivery() } });
  keep(body);
  return body.backup_codes;
}

/** Has the code of a challenge sent by text message. */
export const textCode = (mfaToken) => send("POST", `${realm}/login/mfa`, { json: { mfa_token: mfaToken, method: "sms" } });

// ---- inside ---------------------------------------------------------------------------------------------------------

export const profile = () => authorised("GET", `${realm}/`);
export const update = (changes, etag) =>
  authorised("PATCH", `${realm}/update`, { json: changes, headers: etag ? { "if-match": etag } : {} });
export async function changePassword(current, password) {
  keep((await authorised("POST", `${realm}/change_password`, { json: { current_password: current, password } })).body);
}
export const sendOtp = (id, phone, channel = "sms") => send("POST", `${realm}/otp_phone`, { json: { id, phone, channel } });
export const verifyOtp = (token, otp) => send("POST", `${realm}/verify_otp_phone`, { json: { token, otp } });
export const setFactor = (sms, proof = {}) => authorised("PUT", `${realm}/mfa`, { json: { sms, ...proof } });
export const beginApp = (proof = {}) => authorised("POST", `${realm}/mfa/totp`, { json: proof });
export const confirmApp = (otp) => authorised("PUT", `${realm}/mfa/totp`, { json: { otp } });
export const removeApp = () => authorised("DELETE", `${realm}/mfa/totp`);
export const newBackupCodes = () => authorised("POST", `${realm}/mfa/backup_codes`);
/** Shows password and code once more: the new access token says so, and the refresh token stays. */
export async function stepUp(password, otp) {
  access = (await authorised("POST", `${realm}/step_up`, { json: { password, otp } })).body.access_token;
}
export const passkeys = () => authorised("GET", `${realm}/passkeys`);
export const beginPasskey = (proof = {}) => authorised("POST", `${realm}/passkeys/options`, { json: proof });
export const addPasskey = (token, credential, name) => authorised("POST", `${realm}/passkeys`, { json: { token, credential, name } });
export const renamePasskey = (id, name) => authorised("PATCH", `${realm}/passkeys/${encodeURIComponent(id)}`, { json: { name } });
export const removePasskey = (id) => authorised("DELETE", `${realm}/passkeys/${encodeURIComponent(id)}`);
export const devices = () => authorised("GET", `${realm}/devices`);
export const forgetDevice = (id) => authorised("DELETE", `${realm}/devices/${encodeURIComponent(id)}`);
export const sessions = () => authorised("GET", `${realm}/sessions`);
export const endSession = (id) => authorised("DELETE", `${realm}/sessions/${encodeURIComponent(id)}`);
export const exportAll = () => authorised("GET", `${realm}/export`);

export async function logOut() {
  try { await authorised("POST", `${realm}/logout`); } finally { forget(); }
}

export async function logOutEverywhere() {
  await authorised("POST", `${realm}/logout_all`);
  forget();
}

export async function deleteAccount(password) {
  await authorised("DELETE", `${realm}/delete`, { json: { password } });
  forget();
}

// ---- development ----------------------------------------------------------------------------------------------------

/** What was mailed and texted, newest first; `null` where there is no such mailbox. */
export async function mailbox() {
  try {
    return (await send("GET", "dev/mailbox", { quiet: true })).body;
  } catch (problem) {
    if (problem.status === 404) return null;
    throw problem;
  }
}
