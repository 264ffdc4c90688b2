import type { StandardSchemaV1 } from "@standard-schema/spec";

/** What is wrong: a code that never changes, a sentence in English, and where. */
export interface Issue extends StandardSchemaV1.Issue {
  readonly code: string;
  readonly message: string;
  readonly path: readonly string[];
}

export type Result<Value> =
  | { readonly ok: true; readonly value: Value; readonly issues?: undefined }
  | { readonly ok: false; readonly issues: readonly Issue[]; readonly value?: undefined };

/** A Standard Schema, version 1 (https://standardschema.dev). */
export interface Schema<Input, Output> extends StandardSchemaV1<Input, Output> {}

export interface Validator<Output, Input = string, Arguments extends unknown[] = []> extends Schema<Input, Output> {
  /** Takes anything at all; never throws. */
  parse(value: unknown, ...rest: Arguments): Result<Output>;
}

/** What a module can be loaded from, where it does not lie beside the script. */
export type Source =
  | string
  | URL
  | Request
  | Response
  | BufferSource
  | WebAssembly.Module
  | Promise<Response | BufferSource | WebAssembly.Module>;

/** Loads the validators, once. Rejects with `code: "wasm_blocked"` where the page's CSP forbids WebAssembly. */
export function ready(source?: Source): Promise<void>;

export interface Email {
  /** As typed: what mail goes to. */
  readonly shown: string;
  /** What addresses are compared by. */
  readonly canonical: string;
}

export interface Phone {
  /** `+` and digits. */
  readonly e164: string;
  /** ISO 3166-1 alpha-2. */
  readonly country: string;
}

export interface PasswordLengths {
  /** Fewest characters; 8 unless the server says otherwise. */
  readonly minLength?: number;
  /** Most characters; 256 unless the server says otherwise. */
  readonly maxLength?: number;
}

export interface PasswordOptions extends PasswordLengths {
  /** The score it needs, 0 to 4; 3 unless the server says otherwise. */
  readonly minScore?: number;
  /** Words it must not lean on: the person's names, */
  readonly names?: readonly string[];
  /** their address, */
  readonly email?: string;
  /** and what the application is called. */
  readonly appName?: string;
  /** The year near which dates are easy to guess; that of the page's clock unless given. */
  readonly currentYear?: number;
}

export interface RegistrationForm {
  first_name: string;
  /** Empty or missing for a person with one name. */
  last_name?: string;
  email: string;
  phone: string;
  /** `US` or `+1`. */
  country_code: string;
  password: string;
}

/** The body of `POST /create`, in the spelling that the server stores. */
export interface Registration {
  first_name: string;
  last_name: string;
  email: string;
  /** `+` and digits. */
  phone: string;
  country_code: string;
  password: string;
}

export interface EmailOptions {
  /** Whether the server has `MAIL_SMTPUTF8=on`: it then takes addresses with more than ASCII before the @. */
  readonly smtputf8?: boolean;
}

export const email: Validator<Email, string, [options?: EmailOptions]>;
/** With a country (`US`, `+1`) the number has to be of it; without, the number says which it is of. */
export const phone: Validator<Phone, string, [countryCode?: string]>;
export const name: Validator<string>;
export const countryCode: Validator<string>;
/** A new password by its length alone. Its strength: `@portcullis/validators/strength`. */
export const passwordPolicy: Validator<string, string, [lengths?: PasswordLengths]>;

/** A whole form, every field's every issue at once. */
export const registration: Schema<RegistrationForm, Registration> & {
  parse(
    form: unknown,
    options?: Omit<PasswordOptions, "names" | "email"> & EmailOptions,
  ): Result<Registration> & {
    /** Whether the password's strength was measured too: after `loadStrength()` it is. */
    readonly strengthChecked?: boolean;
  };
};
