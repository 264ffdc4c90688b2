/** An answer that is an error. */
export class TokenError extends Error {
  readonly status: number;
  /** The server's code, such as `invalid_credentials`. */
  readonly code: string;
  /** The members of the answer (RFC 9457), such as `mfa_token`. */
  readonly body: Readonly<Record<string, unknown>>;
}

export interface TokenAnswer {
  readonly access_token: string;
  /** Seconds. */
  readonly expires_in: number;
  /** Not in cookie mode. */
  readonly refresh_token?: string;
}

export interface TokenOptions {
  /** The address of the realm, such as `https://auth.example.com/User1`. */
  readonly realm: string | URL;
  /** `cookie`: the server keeps the refresh token in a cookie that no script can read. `body` unless given. */
  readonly delivery?: "body" | "cookie";
}

/**
 * The tokens of a realm in a page. All tabs of an origin share one exchange of the refresh token, by a Web Lock, and its
 * result, by a BroadcastChannel.
 *
 * Events: `change` when tokens were replaced, `ended` when they are gone, here or in another tab.
 */
export class SharedTokens extends EventTarget {
  constructor(options: TokenOptions);
  /** Whether someone is logged in, as far as this tab knows. */
  readonly loggedIn: boolean;
  /** Throws a `TokenError`, also for `mfa_required`, whose `body.mfa_token` is for `secondFactor`. */
  logIn(username: string, password: string): Promise<void>;
  secondFactor(mfaToken: string, otp: string): Promise<void>;
  changePassword(current: string, password: string): Promise<void>;
  logOut(): Promise<void>;
  /** Takes an answer like that of a login. */
  accept(answer: TokenAnswer): void;
  /** Forgets the tokens. */
  clear(): void;
  /** A good access token; after a reload in cookie mode by the cookie. Null where nobody is logged in. */
  token(): Promise<string | null>;
  /** A new access token. Null where nobody is logged in. */
  refresh(): Promise<string | null>;
  /** `fetch` with the access token; an answer of 401 renews it once. For addresses that may have the token only. */
  fetch(input: RequestInfo | URL, init?: RequestInit): Promise<Response>;
}
