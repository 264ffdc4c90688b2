// The same files on another host, with the server named in the address: let in by `CORS_ORIGINS` there, and by the page's
// own rules here, which let no link choose a stranger's server.
import { equal, open, truth } from "./browser.mjs";
import { arrive, fill, person, press, view } from "./story.mjs";

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
