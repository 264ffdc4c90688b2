// Runs the examples against a test server and compares what they print: `node run.mjs node python go java`.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { promisify } from "node:util";

import { Testkit } from "../../testkit/npm/index.js";

const COMMANDS = {
  node: ["node", ["client.mjs"]],
  python: [process.env.PYTHON ?? "python3", ["client.py"]],
  go: ["go", ["run", "."]],
  java: ["java", ["Client.java"]],
};

const kit = await Testkit.start({ flags: ["--signing", "EdDSA", "--trusted-proxies", "127.0.0.1"] });
try {
  const user = await kit.verifiedUser();
  const env = {
    ...process.env,
    PORTCULLIS_URL: kit.url,
    REALM: user.realm,
    EMAIL: user.email,
    PASSWORD: user.password,
    CLIENT_ID: kit.serviceClient.id,
    CLIENT_SECRET: kit.serviceClient.secret,
  };
  for (const name of process.argv.slice(2)) {
    const [command, flags] = COMMANDS[name];
    const { stdout } = await promisify(execFile)(command, flags, { cwd: new URL(`${name}/`, import.meta.url), env });
    const expected = [`keys ${user.id}`, `introspection ${user.id}`, `refreshed ${user.id}`, "active after logout false"];
    assert.deepEqual(stdout.trim().split("\n"), expected, name);
    console.log(`${name}: ok`);
  }
} finally {
  await kit.stop();
}
