// Drives `portcullis testkit` from tests: users, mail, time, faults. One class, no dependencies.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";

const FIX =
  "Fix: build the test kit in Portcullis' repository by `cargo xtask testkit build`, and set PORTCULLIS_BIN to its " +
  "target/release/portcullis-testkit.";

const UNITS = { s: 1, m: 60, h: 3600, d: 86_400 };

/** A response with a status that a helper did not expect. */
export class TestkitError extends Error {
  constructor(what, status, body) {
    super(`${what}: ${status} ${typeof body === "string" ? body : JSON.stringify(body)}`);
    this.name = "TestkitError";
    this.status = status;
    this.body = body;
  }
}

/** `90`, `"90s"`, `"31m"`, `"24h"` or `"30d"` in seconds. */
export function seconds(time) {
  if (typeof time === "number" && Number.isInteger(time) && time >= 0) return time;
  const parsed = /^(\d+)([smhd])$/.exec(String(time));
  if (!parsed) throw new TypeError(`${time}: not a time; write 90, "90s", "31m", "24h" or "30d"`);
  return Number(parsed[1]) * UNITS[parsed[2]];
}

function readable(message) {
  const link = message.links[0];
  const token = link ? new URL(link).searchParams.get("token") : null;
  return { ...message, link: link ?? null, token };
}

export class Testkit {
  #process;
  #serial = 0;

  constructor(line, process) {
    this.url = line.url;
    this.pid = line.pid ?? null;
    this.realms = line.realms ?? ["User1", "User2"];
    this.operatorToken = line.operator_token ?? null;
    this.serviceClient = line.service_client ?? null;
    this.#process = process;

    this.clock = {
      now: async () => new Date((await this.#control("GET", "/clock")).now),
      advance: async (time) => {
        const told = await this.#control("POST", "/clock/advance", { seconds: seconds(time) });
        return new Date(told.now);
      },
    };
    this.mail = {
      all: async (filter = {}) => (await this.#messages(filter, 0)).map(readable),
      waitFor: async (filter = {}) => {
        const { timeout = 5000, ...wanted } = filter;
        const found = await this.#messages(wanted, timeout);
        if (found.length === 0) {
          throw new TestkitError(`no message came that fits ${JSON.stringify(wanted)}`, 200, `within ${timeout} ms`);
        }
        return readable(found[0]);
      },
      clear: () => this.#control("DELETE", "/outbox"),
    };
    this.faults = {
      set: (faults) => this.#control("PUT", "/faults", { faults }),
      clear: () => this.#control("PUT", "/faults", { faults: [] }),
    };
    const switched = (user, disabled) =>
      this.#control("PUT", "/disabled", { realm: user.realm ?? this.realms[0], user: user.id ?? user.email, disabled });
    this.users = { disable: (user) => switched(user, true), enable: (user) => switched(user, false) };
    this.limits = { clear: () => this.#control("DELETE", "/limits") };
  }

  /** Starts the binary and waits for its line. */
  static async start(options = {}) {
    const binary = options.binary ?? process.env.PORTCULLIS_BIN ?? "portcullis";
    const flags = ["testkit", "--port", String(options.port ?? 0)];
    if (options.seed !== undefined) flags.push("--seed", String(options.seed));
    if (options.realms) flags.push("--realms", options.realms.join(","));
    if (options.rateLimits === false) flags.push("--rate-limits", "off");
    flags.push(...(options.flags ?? []));
    const child = spawn(binary, flags, { stdio: ["ignore", "pipe", "pipe"] });
    let complaint = "";
    child.stderr.setEncoding("utf8").on("data", (text) => (complaint += text));
    const failed = once(child, "error").then(([error]) => {
      throw new Error(`${binary} can't be started: ${error.message}. ${FIX}`);
    });
    const ended = once(child, "exit").then(([code]) => {
      // a default build of the server does not know the command
      const fix = complaint.includes("unrecognized subcommand") ? ` ${FIX}` : "";
      throw new Error(`${binary} ended with exit code ${code}: ${complaint.trim()}${fix}`);
    });
    // neither may end the process once the line is there
    failed.catch(() => {});
    ended.catch(() => {});
    const [line] = await Promise.race([once(createInterface({ input: child.stdout }), "line"), failed, ended]);
    // a test that forgets to stop the server neither waits for it nor leaves it running
    for (const handle of [child, child.stdout, child.stderr]) handle.unref();
    const end = () => child.kill("SIGTERM");
    process.once("exit", end);
    child.once("exit", () => process.off("exit", end));
    return new Testkit(JSON.parse(line), child);
  }

  /** A server that runs already. */
  static async connect(url) {
    const kit = new Testkit({ url: url.replace(/\/$/, "") }, null);
    await kit.clock.now();
    return kit;
  }

  /** Ends the server that `start` began. */
  async stop() {
    const child = this.#process;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    child.ref();
    const ended = once(child, "exit");
    child.kill("SIGTERM");
    await ended;
  }

  async [Symbol.asyncDispose ?? Symbol.for("nodejs.asyncDispose")]() {
    await this.stop();
  }

  /** A request to a realm; JSON in, and the answer as `fetch` gives it. */
  async request(method, path, { realm = this.realms[0], token, json, form } = {}) {
    const headers = { accept: "application/json" };
    if (token) headers.authorization = `Bearer ${token}`;
    let body;
    if (json !== undefined) {
      headers["content-type"] = "application/json";
      body = JSON.stringify(json);
    } else if (form !== undefined) {
      body = new URLSearchParams(form);
    }
    return fetch(`${this.url}/${realm}${path}`, { method, headers, body, redirect: "manual" });
  }

  /** The fields of `POST /create` for a person with an address that no other one has. */
  person(wishes = {}) {
    this.#serial += 1;
    const tag = `${Date.now().toString(36)}${this.#serial}`;
    return {
      first_name: "Ada",
      last_name: "Lovelace",
      email: `ada+${tag}@example.test`,
      phone: "+12025550100",
      country_code: "US",
      password: "kq7!Zp2#vW9x-tulip",
      ...wishes,
    };
  }

  /** Registers someone, follows the link of the mail, and gives back who it is. */
  async verifiedUser(wishes = {}) {
    const { realm = this.realms[0], ...rest } = wishes;
    const person = this.person(rest);
    await this.limits.clear();
    const created = await this.#expect(201, "create", this.request("POST", "/create", { realm, json: person }));
    const mail = await this.mail.waitFor({ to: person.email, template: "mail_email_verify" });
    await this.#expect(200, "verify", this.request("POST", "/verify", { realm, json: { token: mail.token } }));
    return { id: created.id, realm, ...person };
  }

  /** Logs someone in. `answer` is for a second factor that is asked for (see `answerFactor`). */
  async login(user, answer = null) {
    const realm = user.realm ?? this.realms[0];
    await this.limits.clear();
    const form = { username: user.email, password: user.password };
    if (user.deviceToken) form.device_token = user.deviceToken;
    const logged = this.request("POST", "/login", { realm, form });
    if (!answer) return this.#session(realm, await this.#expect(200, "login", logged));
    const asked = await this.#expect(403, "login", logged);
    return this.answerFactor(asked, answer, { realm });
  }

  /**
   * Answers `mfa_required` of a login: `{ secret }` of an app, `{ passkey }`, or `{ otp }`, a backup code or a code by SMS.
   * With `remember`, the session has a `deviceToken`.
   */
  async answerFactor(asked, { remember = false, ...answer }, { realm = this.realms[0] } = {}) {
    const json = { mfa_token: asked.mfa_token, ...(await this.#factorFields(asked, answer)) };
    if (remember) json.remember_device = true;
    const logged = this.request("POST", "/login/mfa", { realm, json });
    return this.#session(realm, await this.#expect(200, "login/mfa", logged));
  }

  /** Logs in with a passkey alone. */
  async loginWithPasskey(passkey, { realm = this.realms[0] } = {}) {
    await this.limits.clear();
    const asking = this.request("POST", "/login/passkey/options", { realm });
    const { token, options } = await this.#expect(200, "login/passkey/options", asking);
    const json = { token, credential: await this.signPasskey(options, passkey) };
    const logged = this.request("POST", "/login/passkey", { realm, json });
    return this.#session(realm, await this.#expect(200, "login/passkey", logged));
  }

  /**
   * The first factor of someone whose realm requires one (`MFA_POLICY`): the login is answered by the mailed code, and then
   * by an app, or by a passkey of that name. The session, with what was added.
   */
  async enrol(user, { passkey: name = null } = {}) {
    const realm = user.realm ?? this.realms[0];
    const post = (path, json) => this.#expect(200, path, this.request("POST", path, { realm, json }));
    await this.limits.clear();
    const form = { username: user.email, password: user.password };
    const asked = await this.#expect(403, "login", this.request("POST", "/login", { realm, form }));
    const { code } = await this.mail.waitFor({ to: user.email, template: "enrolment_code" });
    const offer = await post("/login/enrolment", { enrolment_token: asked.enrolment_token, code });
    const json = { enrolment_token: offer.enrolment_token };
    const added = {};
    if (name === null) {
      added.secret = offer.totp.secret;
      Object.assign(json, { method: "totp", otp: await this.appCode(added.secret) });
    } else {
      const made = await this.createPasskey(offer.passkey_options);
      added.passkey = made.passkey;
      Object.assign(json, { method: "passkey", name, credential: made.credential });
    }
    const opened = await post("/login/enrolment/factor", json);
    return { session: this.#session(realm, opened), backupCodes: opened.backup_codes, ...added };
  }

  #session(realm, pair) {
    const session = {
      accessToken: pair.access_token,
      refreshToken: pair.refresh_token,
      expiresIn: pair.expires_in,
      deviceToken: pair.device_token ?? null,
      fetch: (path, { method = "GET", json } = {}) =>
        this.request(method, path, { realm, token: session.accessToken, json }),
      refresh: async () => {
        const grant = { grant_type: "refresh_token", refresh_token: session.refreshToken };
        const next = await this.#expect(200, "token", this.request("POST", "/token", { realm, form: grant }));
        session.accessToken = next.access_token;
        session.refreshToken = next.refresh_token;
        return session;
      },
    };
    return session;
  }

  /** Adds an authenticator app to the account of a login: its key, and the backup codes. */
  async addApp(session) {
    const begun = await this.#expect(201, "mfa/totp", session.fetch("/mfa/totp", { method: "POST" }));
    const otp = await this.appCode(begun.secret);
    const confirmed = await this.#expect(200, "mfa/totp", session.fetch("/mfa/totp", { method: "PUT", json: { otp } }));
    return { secret: begun.secret, backupCodes: confirmed.backup_codes };
  }

  /** The code of an app at the server's time. It works once: advance the clock by a minute for the next one. */
  async appCode(secret) {
    return (await this.#control("POST", "/factors", { secret })).code;
  }

  /** New backup codes; the older ones work no more. */
  async newBackupCodes(session) {
    return (await this.#expect(200, "mfa/backup_codes", session.fetch("/mfa/backup_codes", { method: "POST" }))).backup_codes;
  }

  /** Adds a passkey to the account of a login: the passkey for `loginWithPasskey` and others, its id, and the backup codes. */
  async addPasskey(session, { name = "Passkey", synced = false } = {}) {
    const { token, options } = await this.#expect(200, "passkeys/options", session.fetch("/passkeys/options", { method: "POST" }));
    const { credential, passkey } = await this.createPasskey(options, { synced });
    const json = { token, credential, name };
    const added = await this.#expect(201, "passkeys", session.fetch("/passkeys", { method: "POST", json }));
    return { id: added.id, passkey, backupCodes: added.backup_codes ?? null };
  }

  /** What `navigator.credentials.create()` answers to the options, as JSON, and the passkey that signs later. */
  async createPasskey(options, { synced = false, origin } = {}) {
    return this.#control("POST", "/factors", { create: options, synced, origin });
  }

  /** What `navigator.credentials.get()` answers to the options, as JSON. */
  async signPasskey(options, passkey, { origin } = {}) {
    return (await this.#control("POST", "/factors", { get: options, passkey, origin })).credential;
  }

  /** Authenticates once more with the password, and with a factor where `answer` has one; the session has the new token. */
  async stepUp(session, password, answer = null) {
    const send = (json) => session.fetch("/step_up", { method: "POST", json: { password, ...json } });
    let json = {};
    if (answer) {
      const asked = answer.passkey ? await this.#expect(403, "step_up", send({})) : null;
      json = await this.#factorFields(asked, answer);
      if (asked) json.mfa_token = asked.mfa_token;
    }
    session.accessToken = (await this.#expect(200, "step_up", send(json))).access_token;
    return session;
  }

  /** The remembered devices of an account. */
  async devices(session) {
    return (await this.#expect(200, "devices", session.fetch("/devices"))).devices;
  }

  async #factorFields(asked, { secret, passkey, otp }) {
    if (passkey) return { method: "passkey", credential: await this.signPasskey(asked.passkey_options, passkey) };
    return { otp: secret ? await this.appCode(secret) : otp };
  }

  /** Puts everything aside; the name takes it back. */
  async snapshot() {
    return (await this.#control("POST", "/snapshot")).snapshot;
  }

  /** Takes a snapshot back; without a name, the server as it began. */
  restore(snapshot = "empty") {
    return this.#control("POST", "/restore", { snapshot });
  }

  /** The server as it began, and nothing broken. Time goes on. */
  async reset() {
    await this.faults.clear();
    await this.restore();
  }

  /** Ids, tokens and codes come in the order of this seed from here on. */
  seed(seed) {
    return this.#control("PUT", "/seed", { seed });
  }

  async #messages(filter, wait) {
    const query = new URLSearchParams({ wait: String(wait) });
    for (const name of ["to", "template"]) if (filter[name]) query.set(name, filter[name]);
    return this.#control("GET", `/outbox?${query}`);
  }

  async #control(method, path, json) {
    const headers = json === undefined ? {} : { "content-type": "application/json" };
    const body = json === undefined ? undefined : JSON.stringify(json);
    const answer = await fetch(`${this.url}/__test__${path}`, { method, headers, body });
    const text = await answer.text();
    if (!answer.ok) throw new TestkitError(`${method} /__test__${path}`, answer.status, text);
    return text ? JSON.parse(text) : undefined;
  }

  async #expect(status, what, answered) {
    const answer = await answered;
    const body = await answer.json();
    if (answer.status !== status) throw new TestkitError(what, answer.status, body);
    return body;
  }
}
