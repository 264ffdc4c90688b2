// Attacks on cookie mode in a real Chromium. `node cookies.mjs SERVER HOST`: the address of a real server, and of a host of
// pages that its CORS_ORIGINS lists. A page at localhost is of another site; a page at another port of 127.0.0.1 is of the
// same site and of an origin that is not listed, so that the browser sends the cookie along and only the server refuses.
import { PASSWORD, account } from "./accounts.mjs";
import { equal, launch, truth } from "./browser.mjs";

const [base, host] = process.argv.slice(2);
const REALM = `${base}User1`;
const COOKIE = "__Host-refresh-User1";
const strangers = { "another site": `http://localhost:${new URL(host).port}/`, "the same site": `http://127.0.0.1:${Number(new URL(host).port) === 9 ? 7 : 9}/` };

const browser = await launch();
const context = await browser.newContext();
context.setDefaultTimeout(10_000);

/** Pages of strangers: what they serve is this test's, what they send goes to the real server. */
let served = "";
for (const stranger of Object.values(strangers)) {
  await context.route((url) => url.href.startsWith(stranger), (route) => route.fulfill({ contentType: "text/html", body: `<!doctype html><title>stranger</title>${served}` }));
}

// without an address: for an http one the driver leaves secure cookies out
const tokenOf = async () => (await context.cookies()).find(({ name }) => name === COOKIE)?.value ?? null;

/** A POST by a script of a page, as it sees the answer. */
const post = (page, path, fields, { headers = {}, mode = "cors" } = {}) =>
  page.evaluate(async ([url, form, extra, how]) => {
    try {
      const response = await fetch(url, { method: "POST", credentials: "include", mode: how, headers: extra, body: new URLSearchParams(form) });
      return { status: response.status, body: response.type === "opaque" ? null : await response.json() };
    } catch (error) {
      return { failed: String(error) };
    }
  }, [`${REALM}${path}`, fields, headers, mode]);

const ALLOWED = { headers: { "x-requested-with": "fetch" } };
const login = (email, delivery = "cookie") => ({ username: email, password: PASSWORD, token_delivery: delivery });

/** Submits a form of a stranger's page, as a click on it would; gives the status of the answer. */
async function submit(stranger, path, fields) {
  const inputs = Object.entries(fields).map(([name, value]) => `<input name="${name}" value="${value}">`).join("");
  served = `<form method="post" action="${REALM}${path}">${inputs}<button>Win</button></form>`;
  const page = await context.newPage();
  await page.goto(stranger);
  const [answer] = await Promise.all([page.waitForResponse(`${REALM}${path}`), page.getByRole("button").click()]);
  const status = answer.status();
  await page.close();
  return status;
}

async function fromStrangers(path, fields, { statuses }) {
  for (const [name, stranger] of Object.entries(strangers)) {
    equal(await submit(stranger, path, fields), statuses, `${path} by a form of ${name}`);
    served = "";
    const page = await context.newPage();
    await page.goto(stranger);
    // the answer stays unseen, and the browser asks first before it sends the header
    truth(!(await post(page, path, fields, { mode: "no-cors" })).body, `${path} by a script of ${name}`);
    truth("failed" in (await post(page, path, fields, ALLOWED)), `${path} with the header, by a script of ${name}`);
    await page.close();
  }
}

async function loginCsrf() {
  equal(await tokenOf(), null, "the cookie before any login");
  await fromStrangers("/login", login("mallory@example.com"), { statuses: 403 });
  equal(await tokenOf(), null, "the cookie after logins by strangers");
}

async function bodyMode(page, listed) {
  equal((await post(page, "/login", login("ada@example.com"), ALLOWED)).status, 200, "the login of a page of our own");
  truth(await tokenOf(), "the browser keeps the cookie");
  await fromStrangers("/login", login("mallory@example.com"), { statuses: 403 });
  await fromStrangers("/token", { grant_type: "refresh_token" }, { statuses: 400 });
  for (const [name, script] of Object.entries({ "our own page": page, "a listed page": listed })) {
    const before = await tokenOf();
    equal(await script.evaluate(() => document.cookie), "", `the cookies that a script of ${name} reads`);
    const { status, body } = await post(script, "/token", { grant_type: "refresh_token", token_delivery: "body" }, ALLOWED);
    equal([status, Object.keys(body).sort()], [200, ["access_token", "expires_in", "token_type"]], `the body mode, by ${name}`);
    truth(body.access_token && (await tokenOf()) !== before, "the cookie was renewed");
    equal((await post(script, "/token", { grant_type: "refresh_token", token_delivery: "body" })).status, 400, `without the header, by ${name}`);
    equal((await post(script, "/token", { grant_type: "refresh_token", refresh_token: "x".repeat(86) }, ALLOWED)).status, 400, `both tokens, by ${name}`);
  }
}

async function logout(page) {
  await fromStrangers("/logout", {}, { statuses: 401 });
  equal((await post(page, "/token", { grant_type: "refresh_token" }, ALLOWED)).status, 200, "the session outlives logouts by strangers");
  equal((await post(page, "/logout", {})).status, 401, "a logout without the header");
  equal((await post(page, "/logout", {}, ALLOWED)).status, 200, "the logout of a page of our own");
  equal(await tokenOf(), null, "the cookie after it");
}

try {
  const page = await context.newPage();
  await page.goto(`${base}demo/`);
  const listed = await context.newPage();
  await listed.goto(host);
  for (const email of ["ada@example.com", "mallory@example.com"]) await account(page, base, email);
  for (const [name, attack] of Object.entries({ loginCsrf, bodyMode, logout })) {
    await attack(page, listed);
    console.log(`passed ${name}`);
  }
} catch (error) {
  console.log(error.stack);
  process.exitCode = 1;
} finally {
  await browser.close();
}
process.exit();
