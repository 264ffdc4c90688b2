// Typical uses of the package compile, with the expected types.

import type { StandardSchemaV1 } from "@standard-schema/spec";
import { email, phone, ready, registration, type Registration, type RegistrationForm } from "@portcullis/validators";
import type { PasswordMeter } from "@portcullis/validators/meter";
import { SharedTokens, TokenError } from "@portcullis/validators/tokens";
import { loadStrength, password, strength } from "@portcullis/validators/strength";

await ready();
const parsed = email.parse("a@b.de");
if (parsed.ok) parsed.value.canonical.toLowerCase();
else parsed.issues[0]?.code.toLowerCase();
phone.parse("+49301234567", "DE");

const schema: StandardSchemaV1<RegistrationForm, Registration> = registration;
const addresses: StandardSchemaV1<string, { readonly canonical: string }> = email;
type Output = StandardSchemaV1.InferOutput<typeof registration>;
const output: Output["phone"] = "+1";
const form = registration.parse({});
// the value is the body of POST /create
if (form.ok) await fetch("/User1/create", { method: "POST", body: JSON.stringify(form.value satisfies RegistrationForm) });

await loadStrength();
const found: 0 | 1 | 2 | 3 | 4 = strength("x", { names: ["Ada"], appName: "Portcullis" }).score;
password.parse("x", { minScore: 3 });
const meter: PasswordMeter | null = document.querySelector("portcullis-password-meter");
// @ts-expect-error a result may have no value
parsed.value.canonical;
const tokens = new SharedTokens({ realm: "/User1", delivery: "cookie" });
const bearer: string | null = await tokens.token();
await tokens.logIn("ada@example.com", "x").catch((error: unknown) => error instanceof TokenError && error.code);
// @ts-expect-error there are two ways
new SharedTokens({ realm: "/User1", delivery: "url" });
export { addresses, bearer, found, meter, output, schema };
