import type { PasswordOptions, Source, Validator } from "./index.js";

export interface Advice {
  /** To translate by. */
  readonly code: string;
  /** In English. */
  readonly text: string;
}

export interface Strength {
  /** 0 (too guessable) to 4 (very unguessable). */
  readonly score: 0 | 1 | 2 | 3 | 4;
  /** The guesses an attacker needs, as a power of ten. */
  readonly guessesLog10: number;
  readonly warning: Advice | null;
  readonly suggestions: readonly Advice[];
}

/** Loads the lists of words (and the validators), once: on the focus of a password field, say. */
export function loadStrength(source?: Source): Promise<void>;

/** How hard a password is to guess. Takes anything; what is no password has score 0. */
export function strength(
  password: unknown,
  options?: Pick<PasswordOptions, "names" | "email" | "appName" | "currentYear">,
): Strength;

/** Length and strength of a new password. */
export const password: Validator<string, string, [options?: PasswordOptions]>;
