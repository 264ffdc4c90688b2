/** A response with a status that a helper did not expect. */
export declare class TestkitError extends Error {
  constructor(what: string, status: number, body: unknown);
  readonly status: number;
  readonly body: unknown;
}

/** Seconds, or `"90s"`, `"31m"`, `"24h"`, `"30d"`. */
export type Time = number | `${number}${"s" | "m" | "h" | "d"}`;

/** A time in seconds. */
export declare function seconds(time: Time): number;

/** As `POST /create` takes them. */
export interface Person {
  first_name: string;
  last_name: string;
  email: string;
  phone: string;
  country_code: string;
  password: string;
}

/** A person with an account. */
export interface User extends Person {
  id: string;
  realm: string;
}

/** A message as the mailbox has it, with its first link and the token in it at hand. */
export interface Message {
  channel: "email" | "sms" | "voice";
  to: string;
  template: string;
  subject: string | null;
  text: string;
  html: string | null;
  links: string[];
  code: string | null;
  at: string;
  link: string | null;
  token: string | null;
}

/** Which messages. */
export interface MessageFilter {
  to?: string;
  template?: string;
}

/** What breaks, or takes long. */
export interface Fault {
  port?: string;
  method?: string;
  nth?: number;
  times?: number;
  probability?: number;
  seed?: number;
  when?: "before" | "after";
  delay_seconds?: number;
}

/** A login. */
export interface Session {
  accessToken: string;
  refreshToken: string;
  readonly expiresIn: number;
  /** Where the device is remembered: `login({ ...user, deviceToken })` needs no second factor. */
  readonly deviceToken: string | null;
  /** A request as this user. */
  fetch(path: string, init?: { method?: string; json?: unknown }): Promise<Response>;
  /** Exchanges the refresh token; the session goes on with the new ones. */
  refresh(): Promise<Session>;
}

/** A passkey of an authenticator in software, with its private key. */
export type Passkey = string;

/** The answer to a second factor that is asked for: the key of an app, a passkey, or a code as it is typed. */
export type FactorAnswer = { secret: string } | { passkey: Passkey } | { otp: string };

export interface StartOptions {
  /** `PORTCULLIS_BIN`, or `portcullis` on the path. */
  binary?: string;
  /** 0, a free one, where none is given. */
  port?: number;
  seed?: number;
  realms?: string[];
  /** `false` switches the limits off. */
  rateLimits?: boolean;
  /** Further flags of `portcullis testkit`, such as `["--signing", "EdDSA"]`. */
  flags?: string[];
}

export interface RequestOptions {
  realm?: string;
  token?: string;
  json?: unknown;
  form?: Record<string, string>;
}

export declare class Testkit {
  /** Starts the binary and waits until it serves. */
  static start(options?: StartOptions): Promise<Testkit>;
  /** A server that runs already. */
  static connect(url: string): Promise<Testkit>;

  readonly url: string;
  /** Of the server that `start` began. */
  readonly pid: number | null;
  readonly realms: string[];
  readonly operatorToken: string | null;
  readonly serviceClient: { id: string; secret: string } | null;

  readonly clock: {
    now(): Promise<Date>;
    advance(time: Time): Promise<Date>;
  };
  /** What an operator's `portcullis users disable` and `enable` do. */
  readonly users: {
    disable(user: { id?: string; email?: string; realm?: string }): Promise<void>;
    enable(user: { id?: string; email?: string; realm?: string }): Promise<void>;
  };
  readonly mail: {
    /** Newest first. */
    all(filter?: MessageFilter): Promise<Message[]>;
    /** The newest that fits, as soon as there is one; waits `timeout` milliseconds, 5000 where none is given, 30000 at most. */
    waitFor(filter?: MessageFilter & { timeout?: number }): Promise<Message>;
    clear(): Promise<void>;
  };
  readonly faults: {
    set(faults: Fault[]): Promise<void>;
    clear(): Promise<void>;
  };
  readonly limits: { clear(): Promise<void> };

  request(method: string, path: string, options?: RequestOptions): Promise<Response>;
  person(wishes?: Partial<Person>): Person;
  verifiedUser(wishes?: Partial<Person> & { realm?: string }): Promise<User>;
  /** `answer` is for a second factor that is asked for. */
  login(
    user: { email: string; password: string; realm?: string; deviceToken?: string },
    answer?: FactorAnswer & { remember?: boolean },
  ): Promise<Session>;
  /** Answers `mfa_required` of a login. */
  answerFactor(asked: object, answer: FactorAnswer & { remember?: boolean }, options?: { realm?: string }): Promise<Session>;
  loginWithPasskey(passkey: Passkey, options?: { realm?: string }): Promise<Session>;
  /** The first factor where the realm requires one: an app, or a passkey of that name. */
  enrol(
    user: { email: string; password: string; realm?: string },
    options?: { passkey?: string },
  ): Promise<{ session: Session; backupCodes: string[]; secret?: string; passkey?: Passkey }>;
  /** Adds an authenticator app to the account of a login. */
  addApp(session: Session): Promise<{ secret: string; backupCodes: string[] }>;
  /** The code of an app at the server's time. It works once: advance the clock by a minute for the next one. */
  appCode(secret: string): Promise<string>;
  /** New backup codes; the older ones work no more. */
  newBackupCodes(session: Session): Promise<string[]>;
  addPasskey(
    session: Session,
    options?: { name?: string; synced?: boolean },
  ): Promise<{ id: string; passkey: Passkey; backupCodes: string[] | null }>;
  /** What `navigator.credentials.create()` answers to the options, as JSON, and the passkey that signs later. */
  createPasskey(options: object, more?: { synced?: boolean; origin?: string }): Promise<{ credential: object; passkey: Passkey }>;
  /** What `navigator.credentials.get()` answers to the options, as JSON. */
  signPasskey(options: object, passkey: Passkey, more?: { origin?: string }): Promise<object>;
  /** Authenticates once more; the session has the new access token. */
  stepUp(session: Session, password: string, answer?: FactorAnswer): Promise<Session>;
  devices(session: Session): Promise<{ id: string }[]>;
  snapshot(): Promise<string>;
  restore(snapshot?: string): Promise<void>;
  reset(): Promise<void>;
  seed(seed: number): Promise<void>;
  stop(): Promise<void>;
}
