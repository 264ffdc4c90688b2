// The same files on another host, with the server named in the address: let in by `CORS_ORIGINS` there, and by the page's
// own rules here, which let no link choose a stranger's server.
import { equal, open, shoot, truth } from "./browser.mjs";
import { arrive, fill, news, person, press, view } from "./story.mjs";

export async function elsewhere({ browser, base, host }) {
  const tab = await open(browser, host, { at: `?server=${encodeURIComponent(base)}` });
  await arrive(tab.page, "elsewhere@example.com");
  truth(tab.requests.some((line) => line.startsWith(`POST ${base}`)), "the server was asked");
  const foreign = tab.faults.filter((fault) => !fault.includes(base));
  truth(foreign.length === 0, `nothing else was: ${foreign.join("; ")}`);
  equal(await tab.page.evaluate(() => globalThis.violations), [], "what breaks the page's own policy");
  await tab.context.close();

  const context = await browser.newContext();
  const page = await context.newPage();
  await page.goto(`${host}?server=https://stranger.example`);
  await page.getByRole("heading", { name: "Not connected" }).waitFor();
  await context.close();
}

/** Where the package cannot be loaded the page says so, and the server's verdicts stand at the fields instead. */
export async function withoutPackage({ browser, base }) {
  const context = await browser.newContext();
  context.setDefaultTimeout(10_000);
  const page = await context.newPage();
  await page.route("**/pkg/**", (route) => route.abort());
  await page.goto(`${base}demo/`);
  await page.locator("#rules", { hasText: "checked when you send them" }).waitFor();
  await fill(page, { ...person("no address"), password: "password" });
  await press(page, "Register");
  await page.locator(".field-email .wrong[data-code=email_invalid]").waitFor();
  await page.locator(".field-password .wrong[data-code]").waitFor();
  await fill(page, person("without@example.com"));
  await press(page, "Register");
  await view(page, "verify");
  await context.close();
}

/** With the switch on, a reload stays logged in, and no script sees the refresh token. */
export async function cookieMode({ browser, base, host }) {
  for (const at of [base + "demo/", `${host}?server=${encodeURIComponent(base)}`]) {
    const email = `cookie.${new URL(at).port}@example.com`;
    const tab = await open(browser, base, { at });
    const { page, context } = tab;
    const token = async () => (await context.cookies()).find(({ name }) => name === "__Host-refresh-User1")?.value;
    await arrive(page, email);
    truth((await token()) === undefined, "the body mode has no cookie");
    await page.locator("#log-out").click();
    await view(page, "login");
    await page.getByLabel("Keep me logged in after a reload").check();
    await news(page, "Cookie mode");
    await shoot(page, "story-cookie-mode");
    await fill(page, { username: email, password: person(email).password });
    await press(page, "Log in");
    await view(page, "profile");
    const first = await token();
    truth(first, "the cookie is there");
    await page.reload();
    await view(page, "profile");
    await page.locator(".facts", { hasText: email }).waitFor();
    truth((await token()) !== first, "the reload has renewed it");
    equal(await page.evaluate(() => document.cookie), "", "what a script reads");
    await page.locator("#log-out").click();
    await view(page, "login");
    truth((await token()) === undefined, "the logout has cleared it");
    await page.getByLabel("Keep me logged in after a reload").uncheck();
    await news(page, "Body mode");
    equal(new URL(page.url()).searchParams.has("tokens"), false, "the address after it");
    await context.close();
  }
}
