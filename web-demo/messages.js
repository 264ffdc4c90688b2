// Sentences for the server's codes. A code never changes, so that a page can translate it, and the server can reword its own
// message. A code that is not listed shows the server's message.

const SENTENCES = {
  required: "This field is required.",
  email_invalid: "This is not an e-mail address.",
  email_too_long: "Longer than any e-mail address may be.",
  email_taken: "This address has an account already.",
  name_empty: "A name needs at least one visible character.",
  name_too_long: "At most 100 characters.",
  name_forbidden_character: "It contains an invisible control character.",
  phone_invalid: "A whole number, please: plus sign, country, number.",
  phone_country_mismatch: "The number is not one of the country chosen above.",
  country_unknown: "Choose a country.",
  password_breached: "This password is on a list that attackers try first.",
  otp_malformed: "The code is six digits.",
  invalid_credentials: "The e-mail or the password is wrong.",
  email_not_verified: "The password is right, but the e-mail is not verified yet. The code is in the mailbox.",
  invalid_token: "That code or link is wrong, was used, or has expired.",
  wrong_password: "This is not your current password.",
  reauthentication_required: "You logged in more than 15 minutes ago. Give your password, or log in again.",
  phone_not_verified: "Verify the phone first.",
  totp_on: "An app is on already.",
  last_factor: "This account must have a second factor, and this is the last one. Add another one first.",
  mfa_off: "Switch a second factor on first.",
  too_many_changes: "The account was changed too often. Use the link of a notice to undo what you did not do, or wait.",
  mfa_in_use: "This phone is your second factor. Switch that off before changing it.",
  precondition_failed: "Your profile was changed elsewhere in the meantime. Check it, then try again.",
  not_authenticated: "You are not logged in any more.",
  overloaded: "Many people are logging in right now. Try again in a moment.",
  unavailable: "The server cannot answer right now. Nothing was lost; try again in a moment.",
  unreachable: "The server cannot be reached. Is it running?",
};

/** A sentence for a field's issue, a problem, or anything with a `code`. */
export function inWords(issue) {
  if (issue.code === "rate_limited") {
    const wait = issue.retryAfter;
    return wait ? `That was often. Try again in ${duration(wait)}.` : "Too many requests. Try again later.";
  }
  return SENTENCES[issue.code] ?? issue.message ?? issue.code;
}

/** At a field. Where the meter gives advice already, the field only says that it is needed. */
export const atField = (issue, measured) => (measured && issue.code === "password_too_weak" ? "Still too easy to guess." : inWords(issue));

function duration(seconds) {
  if (seconds < 90) return `${seconds} seconds`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} minutes`;
  return `${Math.round(seconds / 3600)} hours`;
}

const moment = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
const clock = new Intl.DateTimeFormat(undefined, { timeStyle: "short" });

/** A moment of the server, in the reader's own time and habit. */
export const when = (rfc3339) => moment.format(new Date(rfc3339));
export const clockTime = (rfc3339) => clock.format(new Date(rfc3339));

/** A browser's name out of its `User-Agent`, as far as one can tell. */
export function device(userAgent) {
  if (!userAgent) return "An unnamed client";
  const names = [["Edg/", "Edge"], ["OPR/", "Opera"], ["Firefox/", "Firefox"], ["HeadlessChrome/", "Chrome"], ["Chrome/", "Chrome"], ["Safari/", "Safari"], ["curl/", "curl"]];
  const systems = [["Android", "Android"], ["iPhone", "iPhone"], ["iPad", "iPad"], ["Windows", "Windows"], ["Mac OS X", "macOS"], ["Linux", "Linux"]];
  const first = (pairs) => pairs.find(([mark]) => userAgent.includes(mark))?.[1];
  const browser = first(names) ?? userAgent.split(/[ /]/)[0];
  const system = first(systems);
  return system ? `${browser} on ${system}` : browser;
}
