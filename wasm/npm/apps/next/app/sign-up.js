"use client";

import { email, ready } from "@portcullis/validators";
import "@portcullis/validators/meter";
import { useEffect, useState } from "react";

export function SignUp() {
  const [known, setKnown] = useState("");
  useEffect(() => {
    ready().then(() => setKnown(email.parse("Ada@M\u00dcNCHEN.de").value.canonical));
  }, []);
  return <form><p id="browser">{known}</p><label>Password <input id="password" type="password" /></label><portcullis-password-meter for="password" /></form>;
}
