// Typical uses of the package compile, with the expected types.

import type { StandardSchemaV1 } from "@standard-schema/spec";
import { email, phone, ready, registration, type Registration } from "@portcullis/validators";
import type { PasswordMeter } from "@portcullis/validators/meter";
import { loadStrength, password, strength } from "@portcullis/validators/strength";

await ready();
const parsed = email.parse("a@b.de");
if (parsed.ok) parsed.value.canonical.toLowerCase();
else parsed.issues[0]?.code.toLowerCase();
phone.parse("+49301234567", "DE");

const schema: StandardSchemaV1<unknown, Registration> = registration as StandardSchemaV1<never, Registration> as never;
const addresses: StandardSchemaV1<string, { readonly canonical: string }> = email;
type Output = StandardSchemaV1.InferOutput<typeof registration>;
const output: Output["phone"]["e164"] = "+1";

await loadStrength();
const found: 0 | 1 | 2 | 3 | 4 = strength("x", { names: ["Ada"], appName: "Portcullis" }).score;
password.parse("x", { minScore: 3 });
const meter: PasswordMeter | null = document.querySelector("portcullis-password-meter");
// @ts-expect-error a result may have no value
parsed.value.canonical;
export { addresses, found, meter, output, schema };
