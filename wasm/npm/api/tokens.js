// The tokens of a realm in a page, shared by its tabs: one tab exchanges the refresh token, under a Web Lock, and tells
// the others by a BroadcastChannel. Nothing is kept in a storage.

/** How long other tabs have to say that they have newer tokens. */
const ANSWER_TIME = 100;
/** A token that lives no longer than this is renewed before it is used. */
const MARGIN = 30_000;

const NONE = Object.freeze({ access: null, refresh: null, expires: 0, since: 0 });

/** An answer that is an error: RFC 9457's members are in `body`. */
export class TokenError extends Error {
  constructor(status, body) {
    super(body.detail ?? body.title ?? `The server answered ${status}`);
    this.name = "TokenError";
    this.status = status;
    this.code = body.code ?? "unknown";
    this.body = body;
  }
}

export class SharedTokens extends EventTarget {
  #realm;
  #inCookie;
  #state = NONE;
  #channel;
  #refreshing = null;
  #heard = () => {};

  constructor({ realm, delivery = "body" }) {
    super();
    this.#realm = new URL(realm, globalThis.document?.baseURI).href.replace(/\/$/, "");
    this.#inCookie = delivery === "cookie";
    if (typeof BroadcastChannel === "undefined") return;
    this.#channel = new BroadcastChannel(this.#name);
    this.#channel.onmessage = ({ data }) => {
      if (data?.state) this.#adopt(data.state);
      else if (data?.newerThan < this.#state.since) this.#tell();
    };
    this.#channel.postMessage({ newerThan: 0 });
  }

  get #name() {
    return `portcullis tokens of ${this.#realm}`;
  }

  /** Whether someone is logged in, as far as this tab knows. */
  get loggedIn() {
    return this.#state.access !== null;
  }

  /** Logs in. Throws a TokenError, also for `mfa_required`, whose `body.mfa_token` is for `secondFactor`. */
  async logIn(username, password) {
    this.accept(await this.#post("/login", { form: { grant_type: "password", username, password, ...this.#delivery } }));
  }

  async secondFactor(mfaToken, otp) {
    this.accept(await this.#post("/login/mfa", { form: { mfa_token: mfaToken, otp, ...this.#delivery } }));
  }

  async changePassword(current, password) {
    const json = { current_password: current, password };
    this.accept(await this.#post("/change_password", { json, bearer: await this.token() }));
  }

  /** Ends the session; the tokens go here and in the other tabs, whatever the server says. */
  async logOut() {
    try {
      await this.#post("/logout", { bearer: this.#inCookie ? this.#state.access : await this.token() });
    } finally {
      this.clear();
    }
  }

  /** Takes an answer like that of a login, here and in the other tabs. */
  accept({ access_token, expires_in, refresh_token = null }) {
    this.#replace({ access: access_token, refresh: refresh_token, expires: Date.now() + expires_in * 1000 });
  }

  /** Forgets the tokens, here and in the other tabs. */
  clear() {
    this.#replace({ access: null, refresh: null, expires: 0 });
  }

  /** A good access token; null where nobody is logged in. */
  async token() {
    return isFresh(this.#state) ? this.#state.access : this.refresh();
  }

  /** A new access token: that of another tab, if it has a newer one, else by one exchange. Null where nobody is logged in. */
  refresh() {
    const used = this.#state;
    const work = () => this.#exchange(used);
    const locks = globalThis.navigator?.locks;
    this.#refreshing ??= Promise.resolve(locks ? locks.request(this.#name, work) : work()).finally(() => {
      this.#refreshing = null;
    });
    return this.#refreshing;
  }

  /** `fetch` with the access token; an answer of 401 renews it once. */
  async fetch(input, init = {}) {
    const again = input instanceof Request ? input.clone() : input;
    const send = (target, token) => {
      const headers = new Headers(init.headers ?? (target instanceof Request ? target.headers : undefined));
      if (token) headers.set("authorization", `Bearer ${token}`);
      return fetch(target, { ...init, headers });
    };
    const token = await this.token();
    const response = await send(input, token);
    if (response.status !== 401 || !token) return response;
    // another request may have renewed it meanwhile
    const next = this.#state.access === token ? await this.refresh() : await this.token();
    return next ? send(again, next) : response;
  }

  async #exchange(used) {
    await this.#ask();
    if (this.#state.since > used.since && (this.#state.access === null || isFresh(this.#state))) return this.#state.access;
    const { access, refresh } = this.#state;
    if (!refresh && !this.#inCookie) return null;
    try {
      const form = { grant_type: "refresh_token", ...(refresh ? { refresh_token: refresh } : {}), ...this.#delivery };
      this.accept(await this.#post("/token", { form }));
    } catch (error) {
      // only the server's own no ends it: a lost connection may come back
      if (error.status !== 400 && error.status !== 401) throw error;
      if (access || refresh) this.clear();
    }
    return this.#state.access;
  }

  /** Lets another tab tell its tokens, if they are newer. */
  #ask() {
    if (!this.#channel) return undefined;
    return new Promise((done) => {
      const timer = setTimeout(done, ANSWER_TIME);
      this.#heard = () => {
        clearTimeout(timer);
        done();
      };
      this.#channel.postMessage({ newerThan: this.#state.since });
    });
  }

  #replace(state) {
    this.#adopt({ ...state, since: Math.max(Date.now(), this.#state.since + 1) });
    this.#tell();
  }

  #tell() {
    this.#channel?.postMessage({ state: this.#state });
  }

  #adopt(state) {
    if (!(state.since > this.#state.since)) return;
    const before = this.#state;
    this.#state = state;
    this.#heard();
    this.dispatchEvent(new Event(before.access && !state.access ? "ended" : "change"));
  }

  get #delivery() {
    return this.#inCookie ? { token_delivery: "cookie" } : {};
  }

  async #post(path, { form, json, bearer }) {
    const headers = { accept: "application/json" };
    if (this.#inCookie) headers["x-requested-with"] = "fetch";
    if (json) headers["content-type"] = "application/json";
    if (bearer) headers.authorization = `Bearer ${bearer}`;
    const body = json ? JSON.stringify(json) : form && new URLSearchParams(form);
    const credentials = this.#inCookie ? "include" : "omit";
    const response = await fetch(`${this.#realm}${path}`, { method: "POST", headers, body, credentials, cache: "no-store" });
    const answer = await response.json().catch(() => ({}));
    if (!response.ok) throw new TokenError(response.status, answer);
    return answer;
  }
}

const isFresh = ({ access, expires }) => access !== null && expires - MARGIN > Date.now();
