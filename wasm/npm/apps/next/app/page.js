// Rendered for each request, on the server.
import { email, ready } from "@portcullis/validators";
import { loadStrength, strength } from "@portcullis/validators/strength";
import { SignUp } from "./sign-up.js";

export const dynamic = "force-dynamic";

export default async function Page() {
  await ready();
  await loadStrength();
  const { value } = email.parse("Ada@M\u00dcNCHEN.de");
  return <main><p id="server">{value.canonical} {strength("password").score}</p><SignUp /></main>;
}
