// Form libraries take the validators as they are: they are Standard Schemas.

import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { standardSchemaResolver } from "@hookform/resolvers/standard-schema";
import { FieldApi, FormApi } from "@tanstack/form-core";
import { useForm } from "vee-validate";
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
  assert.equal(good.values.email.canonical, "ada@example.com");
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

test("vee-validate 5", async () => {
  await ready();
  let form;
  const initialValues = { ...FORM, email: "nobody", phone: "1" };
  const setup = () => {
    form = useForm({ validationSchema: registration, initialValues });
    return () => h("form");
  };
  await renderToString(createSSRApp({ setup }));
  const bad = await form.validate();
  assert.equal(bad.valid, false);
  assert.deepEqual(Object.keys(bad.errors).sort(), ["email", "phone"]);
  assert.match(String(bad.errors.email), /This is not an e-mail address/);
  form.setValues(FORM, false);
  const good = await form.validate();
  assert.deepEqual([good.valid, good.errors], [true, {}]);
  assert.equal(good.values.email.canonical, "ada@example.com");
});
