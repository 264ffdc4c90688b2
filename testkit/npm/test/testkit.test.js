// Tests the promises of the README against the binary that PORTCULLIS_BIN names.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, beforeEach, test } from "node:test";
import { promisify } from "node:util";

import { Testkit, TestkitError, seconds } from "../index.js";

let kit;

before(async () => {
  kit = await Testkit.start({ seed: 7 });
});
beforeEach(() => kit.reset());
after(() => kit.stop());

test("one call makes a verified user, and another one logs in", async () => {
  const ada = await kit.verifiedUser();
  const session = await kit.login(ada);
  const profile = await (await session.fetch("/")).json();
  assert.equal(profile.email, ada.email);
  assert.equal(profile.id, ada.id);
  await kit.mail.waitFor({ to: ada.email, template: "registration" });
});

test("time passes only on demand, and tokens expire with it", async () => {
  const session = await kit.login(await kit.verifiedUser());
  const before = await kit.clock.now();
  await kit.clock.advance("31m");
  assert.equal((await kit.clock.now()) - before, 31 * 60 * 1000);
  assert.equal((await session.fetch("/")).status, 401);
  await session.refresh();
  assert.equal((await session.fetch("/")).status, 200);
  await kit.clock.advance("31d");
  await assert.rejects(session.refresh(), TestkitError);
});

test("an app is asked for at the next login", async () => {
  const ada = await kit.verifiedUser();
  const { secret, backupCodes } = await kit.addApp(await kit.login(ada));
  assert.equal(backupCodes.length, 10);
  await kit.clock.advance("1m");
  const form = { username: ada.email, password: ada.password };
  const asked = await (await kit.request("POST", "/login", { form })).json();
  assert.deepEqual(asked.methods, ["totp", "backup_code"]);
  const session = await kit.answerFactor(asked, { secret });
  await assert.rejects(kit.answerFactor(asked, { secret }), TestkitError);
  assert.equal((await session.fetch("/")).status, 200);
  const withCode = await kit.login(ada, { otp: backupCodes[0] });
  await kit.clock.advance("1m");
  await kit.stepUp(withCode, ada.password, { secret });
  const newer = await kit.newBackupCodes(withCode);
  await assert.rejects(kit.login(ada, { otp: backupCodes[1] }), TestkitError);
  await kit.login(ada, { otp: newer[0] });
});

test("a passkey logs in alone, is a second factor and steps up", async () => {
  const ada = await kit.verifiedUser();
  const { id, passkey, backupCodes } = await kit.addPasskey(await kit.login(ada), { name: "Phone", synced: true });
  assert.equal(backupCodes.length, 10);
  const alone = await kit.loginWithPasskey(passkey);
  const { passkeys } = await (await alone.fetch("/passkeys")).json();
  assert.deepEqual(passkeys.map(({ id, name, synced }) => [id, name, synced]), [[id, "Phone", true]]);
  await kit.clock.advance("16m");
  assert.equal((await alone.fetch(`/passkeys/${id}`, { method: "DELETE" })).status, 403);
  await kit.stepUp(alone, ada.password, { passkey });
  await kit.login(ada, { passkey });
  const begun = await (await kit.request("POST", "/login/passkey/options")).json();
  const credential = await kit.signPasskey(begun.options, passkey, { origin: "https://evil.test" });
  assert.equal((await kit.request("POST", "/login/passkey", { json: { token: begun.token, credential } })).status, 401);
  assert.equal((await alone.fetch(`/passkeys/${id}`, { method: "DELETE" })).status, 204);
  await assert.rejects(kit.loginWithPasskey(passkey), TestkitError);
});

test("a remembered device needs no factor until it is forgotten", async () => {
  const ada = await kit.verifiedUser();
  const { backupCodes } = await kit.addApp(await kit.login(ada));
  const session = await kit.login(ada, { otp: backupCodes[0], remember: true });
  const { deviceToken } = session;
  await kit.login({ ...ada, deviceToken });
  const [device] = await kit.devices(session);
  assert.equal((await session.fetch(`/devices/${device.id}`, { method: "DELETE" })).status, 204);
  await assert.rejects(kit.login({ ...ada, deviceToken }), TestkitError);
});

test("a realm that requires a factor is entered with the first one", async () => {
  const strict = await Testkit.start({ flags: ["--mfa-policy", "User2:required"] });
  try {
    for (const options of [{}, { passkey: "Phone" }]) {
      const ada = await strict.verifiedUser({ realm: "User2" });
      const { session, secret, passkey, backupCodes } = await strict.enrol(ada, options);
      assert.equal(backupCodes.length, 10);
      assert.equal((await (await session.fetch("/mfa")).json()).required, true);
      await strict.clock.advance("1m");
      await strict.login(ada, passkey ? { passkey } : { secret });
    }
  } finally {
    await strict.stop();
  }
});

test("a reset link arrives, works once and ends every session", async () => {
  const ada = await kit.verifiedUser();
  const session = await kit.login(ada);
  await kit.request("POST", "/forget_password", { json: { email: ada.email } });
  const mail = await kit.mail.waitFor({ to: ada.email, template: "mail_password_reset" });
  const json = { token: mail.token, password: "Mj4$rB8?nL1c-garden" };
  assert.equal((await kit.request("POST", "/reset_password", { json })).status, 200);
  assert.equal((await kit.request("POST", "/reset_password", { json })).status, 400);
  assert.equal((await session.fetch("/")).status, 401);
  await kit.login({ ...ada, password: json.password });
});

test("disabling a user ends every session, and enabling allows logins again", async () => {
  const ada = await kit.verifiedUser();
  const session = await kit.login(ada);
  await kit.users.disable(ada);
  assert.equal((await session.fetch("/")).status, 401);
  await assert.rejects(kit.login(ada), (error) => error instanceof TestkitError && error.status === 401);
  await kit.users.enable({ email: ada.email });
  await kit.login(ada);
  assert.equal((await session.fetch("/")).status, 401);
  await assert.rejects(kit.users.disable({ email: "nobody@example.test" }), TestkitError);
});

test("a fault lasts until it is cleared", async () => {
  const ada = await kit.verifiedUser();
  await kit.faults.set([{ port: "user_store", method: "find_by_email", times: 100 }]);
  await assert.rejects(kit.login(ada), (error) => error instanceof TestkitError && error.status === 503);
  await kit.faults.clear();
  await kit.login(ada);
  await assert.rejects(kit.faults.set([{ port: "users" }]), /user_store/);
});

test("a snapshot can be restored any number of times", async () => {
  const ada = await kit.verifiedUser();
  const begun = await kit.snapshot();
  for (let time = 0; time < 2; time += 1) {
    const session = await kit.login(ada);
    assert.equal((await session.fetch("/delete", { method: "DELETE", json: { password: ada.password } })).status, 200);
    await assert.rejects(kit.login(ada), TestkitError);
    await kit.restore(begun);
  }
  await kit.restore();
  await assert.rejects(kit.login(ada), TestkitError);
});

test("the name of an address decides the fate of its mail", async () => {
  for (const [email, arrives] of [
    ["bounce+1@example.test", 0],
    ["slow+1@example.test", 1],
    ["twice+1@example.test", 2],
  ]) {
    await kit.limits.clear();
    await kit.request("POST", "/create", { json: kit.person({ email }) });
    const tokens = new Set();
    for (let wait = 0; wait < 4; wait += 1) {
      for (const message of await kit.mail.all({ to: email })) tokens.add(message.token);
      await kit.clock.advance("5s");
    }
    assert.equal(tokens.size, arrives, email);
  }
});

test("limits hold until they are cleared", async () => {
  const form = { username: "nobody@example.test", password: "x" };
  const statuses = [];
  for (let time = 0; time < 6; time += 1) statuses.push((await kit.request("POST", "/login", { form })).status);
  assert.deepEqual(statuses, [401, 401, 401, 401, 401, 429]);
  await kit.limits.clear();
  assert.equal((await kit.request("POST", "/login", { form })).status, 401);
});

test("the same seed gives the same ids", async () => {
  const ids = [];
  for (let time = 0; time < 2; time += 1) {
    await kit.reset();
    await kit.seed(42);
    ids.push((await kit.verifiedUser()).id);
  }
  assert.equal(ids[0], ids[1]);
});

test("a missing binary, or one without the test kit, says how to get it", async () => {
  await assert.rejects(Testkit.start({ binary: "/nowhere/portcullis" }), /nowhere.*cargo xtask testkit build.*PORTCULLIS_BIN/);
  const folder = await mkdtemp(join(tmpdir(), "portcullis-"));
  const binary = join(folder, "portcullis");
  await writeFile(binary, "#!/bin/sh\necho \"error: unrecognized subcommand 'testkit'\" >&2\nexit 2\n", { mode: 0o755 });
  await assert.rejects(Testkit.start({ binary }), /exit code 2.*cargo xtask testkit build/);
});

test("stopping a killed server does nothing", async () => {
  const fallen = await Testkit.start();
  process.kill(fallen.pid, "SIGKILL");
  await assert.rejects(async () => {
    for (;;) await fallen.clock.now();
  });
  await fallen.stop();
  await fallen.stop();
});

test("a script that forgets to stop the server ends, and so does the server", async () => {
  const index = JSON.stringify(new URL("../index.js", import.meta.url).href);
  const script = `import { Testkit } from ${index}; console.log((await Testkit.start()).url);`;
  const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "-e", script]);
  await assert.rejects(async () => {
    for (;;) await Testkit.connect(stdout.trim());
  });
});

test("times with a unit are parsed, and others are refused", () => {
  assert.deepEqual(["90s", "31m", "24h", "30d", 5].map(seconds), [90, 1860, 86_400, 2_592_000, 5]);
  assert.throws(() => seconds("soon"), TypeError);
});
