import { email, ready } from "@portcullis/validators";
import { loadStrength, strength } from "@portcullis/validators/strength";

export async function load() {
  await ready();
  await loadStrength();
  return { known: email.parse("Ada@M\u00dcNCHEN.de").value.canonical, score: strength("password").score };
}
