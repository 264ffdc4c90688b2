/**
 * `<portcullis-password-meter for="input-id" lang="en">`: how hard the password in that field is to guess.
 *
 * Attributes: `for`, `lang` (`en`, `de`), `min-score` (3 unless the server says otherwise), `app-name`, `names-from` and `email-from` (ids of fields whose
 * words the password must not lean on, separated by spaces).
 * Parts: `track`, `bar`, `label`, `advice`. Variables: `--meter-height`, `--meter-radius`, `--meter-track`,
 * `--meter-0` to `--meter-4`.
 * Attributes that it sets, for styles: `score`, and `enough` if the score is `min-score` or more.
 * Event: `strength`, with the estimate as its detail; never the password.
 */
export class PasswordMeter extends HTMLElement {
  /** Replaces sentences by code, for languages that are not built in. */
  texts: Readonly<Record<string, string>> | undefined;
}

declare global {
  interface HTMLElementTagNameMap {
    "portcullis-password-meter": PasswordMeter;
  }
}
