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

/** The attributes of the element. */
export interface PasswordMeterAttributes {
  /** The id of the password field. */
  for?: string;
  lang?: string;
  "min-score"?: number | string;
  "app-name"?: string;
  "names-from"?: string;
  "email-from"?: string;
}

declare global {
  interface HTMLElementTagNameMap {
    "portcullis-password-meter": PasswordMeter;
  }
  // Preact, Solid, React up to 18
  namespace JSX {
    interface IntrinsicElements {
      "portcullis-password-meter": PasswordMeterAttributes & { id?: string; class?: string; className?: string; style?: unknown; hidden?: boolean; slot?: string; key?: string | number | null; ref?: unknown };
    }
  }
}

// @ts-ignore: React need not be there
declare module "react" {
  namespace JSX {
    interface IntrinsicElements {
      // @ts-ignore: as above
      "portcullis-password-meter": DetailedHTMLProps<HTMLAttributes<PasswordMeter>, PasswordMeter> & PasswordMeterAttributes & { class?: string };
    }
  }
}
