// Form libraries take the validators as they are: they are Standard Schemas.

import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { standardSchemaResolver } from "@hookform/resolvers/standard-schema";
import { FieldApi, FormApi } from "@tanstack/form-core";
import { useForm } from "vee-validate";
import { useForm as useForm4 } from "vee-validate-4";
import { createSSRApp, h } from "vue";
import { renderToString } from "vue/server-renderer";

const entry = (name) => import(pathToFileURL(join(process.env.PACKAGE, "node", name)));
const { ready, email, registration } = await entry("index.js");
const FORM = { first_name: "Ada", last_name: "Lovelace", email: "Ada@Example.com", phone: "+441234567890", country_code: "GB", password: "correct horse battery" };

test("react-hook-form", async () => {
  await ready();
  const resolver = standardSchemaResolver(registration);
  const options = { fields: {}, shouldUseNativeValidation: false };
  const good = await resolver(FORM, undefined, options);
  assert.deepEqual(good.errors, {});
  assert.deepEqual(good.values, FORM);
  const bad = await resolver({ ...FORM, email: "nobody", phone: "1" }, undefined, options);
  assert.deepEqual(Object.keys(bad.errors).sort(), ["email", "phone"]);
  assert.equal(bad.errors.email.message, "This is not an e-mail address");
});

test("TanStack Form", async () => {
  await ready();
  const form = new FormApi({ defaultValues: { ...FORM, email: "nobody" }, validators: { onChange: registration } });
  form.mount();
  const field = new FieldApi({ form, name: "email", validators: { onChange: email } });
  field.mount();
  field.setValue("still nobody");
  assert.equal(field.state.meta.errors[0].code, "email_invalid");
  assert.ok(form.state.errors.length > 0);
  field.setValue("ada@example.com");
  assert.deepEqual(field.state.meta.errors, []);
});

/** What vee-validate says of a form, first with two wrong fields, then with none. */
async function ofVue(use, validationSchema) {
  let form;
  const setup = () => {
    form = use({ validationSchema, initialValues: { ...FORM, email: "nobody", phone: "1" } });
    return () => h("form");
  };
  await renderToString(createSSRApp({ setup }));
  const bad = await form.validate();
  form.setValues(FORM, false);
  return [bad, await form.validate()];
}

function judged([bad, good]) {
  assert.equal(bad.valid, false);
  assert.deepEqual(Object.keys(bad.errors).sort(), ["email", "phone"]);
  assert.match(String(bad.errors.email), /This is not an e-mail address/);
  assert.deepEqual([good.valid, good.errors], [true, {}]);
  assert.deepEqual(good.values, FORM);
}

test("vee-validate 5", async () => {
  await ready();
  judged(await ofVue(useForm, registration));
});

test("vee-validate 4, by the function of the README", async () => {
  await ready();
  const typed = (validator) => ({
    __type: "VVTypedSchema",
    async parse(values) {
      const { ok, value, issues } = validator.parse(values);
      return ok ? { value, errors: [] } : { errors: issues.map(({ path, message }) => ({ path: path.join("."), errors: [message] })) };
    },
  });
  judged(await ofVue(useForm4, typed(registration)));
});
