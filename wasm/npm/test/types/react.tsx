// A form of react-hook-form is typed by the schema alone, and the meter is an element of JSX.

import { standardSchemaResolver } from "@hookform/resolvers/standard-schema";
import { registration, type Registration } from "@portcullis/validators";
import "@portcullis/validators/meter";
import { useForm } from "react-hook-form";

export function SignUp() {
  const { register, handleSubmit, formState } = useForm({ resolver: standardSchemaResolver(registration) });
  const send = (body: Registration) => fetch("/User1/create", { method: "POST", body: JSON.stringify(body) });
  // @ts-expect-error no such field
  register("surname");
  return (
    <form onSubmit={handleSubmit(async (body) => void (await send(body)))}>
      <input {...register("email")} aria-invalid={formState.errors.email?.message !== undefined} />
      <input id="password" type="password" {...register("password")} />
      <portcullis-password-meter for="password" min-score={3} app-name="Shop" className="meter" lang="de" />
      {/* @ts-expect-error no such attribute */}
      <portcullis-password-meter field="password" />
    </form>
  );
}
