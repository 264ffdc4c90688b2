// Starts the server's binary with one verified account and a service client, and runs a command that finds them in its
// environment: `node with-account.mjs node client.mjs`. PORTCULLIS_BIN is the binary.

import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";

const REALM = "User1";
const PERSON = {
  first_name: "Ada",
  last_name: "Lovelace",
  email: "ada@example.com",
  phone: "+1234567890",
  country_code: "US",
  password: "harbour-tulip-42-Window",
};
// the secret has characters that a form encodes
const CLIENT = { id: "reports/2", secret: "kX9+vQ2%mT7&rB4=nL8wZ1cF6hJ3pD5sG0yA" };

async function call(method, url, body) {
  const headers = { accept: "application/json", ...(body && { "content-type": "application/json" }) };
  const response = await fetch(url, { method, headers, body: body && JSON.stringify(body) });
  if (!response.ok) throw new Error(`${method} ${url}: ${response.status} ${await response.text()}`);
  return response.json();
}

async function mailedCode(url) {
  for (;;) {
    const message = (await call("GET", `${url}/dev/mailbox`)).find((message) => message.code);
    if (message) return message.code;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

const folder = mkdtempSync(join(tmpdir(), "portcullis-clients-"));
const settings = {
  ENVIRONMENT: "development",
  PORT: "0",
  SIGNING: process.env.SIGNING ?? "ES256",
  RATE_LIMITS: "off",
  ARGON2_MEMORY_KIB: "64",
  ARGON2_ITERATIONS: "1",
  SERVICE_CLIENTS: `${CLIENT.id}:${CLIENT.secret}@${REALM}`,
  LOG_LEVEL: "warn",
};
const server = spawn(process.env.PORTCULLIS_BIN, [], { cwd: folder, env: settings, stdio: ["ignore", "pipe", "inherit"] });
let code = 1;
try {
  let url;
  for await (const line of createInterface({ input: server.stdout })) {
    url = /listens on (http:\S+)/.exec(line)?.[1];
    if (url) break;
  }
  if (!url) throw new Error("the server did not start");
  server.stdout.resume();
  const { id } = await call("POST", `${url}/${REALM}/create`, PERSON);
  await call("POST", `${url}/${REALM}/verify`, { email: PERSON.email, code: await mailedCode(url) });
  const env = {
    ...process.env,
    PORTCULLIS_URL: url,
    PORTCULLIS_REALM: REALM,
    PORTCULLIS_USER: id,
    PORTCULLIS_EMAIL: PERSON.email,
    PORTCULLIS_PASSWORD: PERSON.password,
    PORTCULLIS_CLIENT_ID: CLIENT.id,
    PORTCULLIS_CLIENT_SECRET: CLIENT.secret,
  };
  const [command, ...rest] = process.argv.slice(2);
  const child = spawn(command, rest, { env, stdio: ["ignore", "inherit", "inherit"] });
  code = await new Promise((resolve, reject) => child.on("error", reject).on("exit", (status) => resolve(status ?? 1)));
} finally {
  server.kill("SIGTERM");
  await new Promise((resolve) => (server.exitCode === null ? server.on("exit", resolve) : resolve()));
  rmSync(folder, { recursive: true, force: true });
}
process.exit(code);
