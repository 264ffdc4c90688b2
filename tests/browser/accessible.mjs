// Every view, light and dark, wide and narrow: axe finds nothing serious, nothing sticks out sideways, and a picture of
// each is left under target/screenshots.
import axe from "axe-core";
import { blameless, open, shoot, truth } from "./browser.mjs";
import { fill, letter, news, person, press, view } from "./story.mjs";

// axe looks at each theme and each width once: what a theme can spoil does not depend on the width
const LOOKS = [[1280, 900, "light", true], [1280, 900, "dark", false], [390, 844, "light", false], [390, 844, "dark", true]];
const TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];

export async function look(page, name) {
  for (const [width, height, colorScheme, examined] of LOOKS) {
    await page.setViewportSize({ width, height });
    await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
    const wider = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    truth(wider <= 0, `${name} fits ${width} pixels, it is ${wider} wider`);
    await shoot(page, `${name}-${width}-${colorScheme}`);
    if (!examined) continue;
    const { violations } = await page.evaluate((tags) => globalThis.axe.run(document, { runOnly: tags, resultTypes: ["violations"] }), TAGS);
    const found = violations.filter(({ impact }) => ["serious", "critical"].includes(impact));
    const told = found.map(({ id, nodes }) => `${id}: ${nodes.map(({ html, failureSummary }) => `${html} ${failureSummary}`).join("\n")}`);
    truth(found.length === 0, `axe has nothing serious against ${name} at ${width} ${colorScheme}:\n${told.join("\n")}`);
  }
}

export async function looks({ browser, base }) {
  const tab = await open(browser, base);
  const { page } = tab;
  // the browser's own way in: the page's policy would not let a script of ours be added to it
  await page.evaluate(axe.source);
  await atTheGate(page);
  await inside(page);
  await backIn(page);
  await toggled(page);
  await blameless(tab);
  await tab.context.close();
}

const EMAIL = "looks@example.com";
const step = async (page, name) => {
  await page.locator(`#story a[href='#${name}']`).click();
  await view(page, name);
};

/** Fields with something wrong, a link that was followed, a field for a code. */
async function atTheGate(page) {
  await fill(page, { first_name: "Ada", email: "no address", password: "password" });
  await page.locator("main input[name=email]").focus();
  await page.locator("main input[name=email]").blur();
  await look(page, "register");
  await fill(page, person(EMAIL));
  await press(page, "Register");
  await view(page, "verify");
  await look(page, "verify");
  await letter(page, "mail_email_verify", EMAIL).getByRole("button", { name: /Follow the link/ }).click();
  await page.getByRole("heading", { name: "Confirm your address" }).waitFor();
  await look(page, "confirm");
  await press(page, "Yes, that was me");
  await view(page, "login");
  await look(page, "login");
  await fill(page, { username: EMAIL, password: person(EMAIL).password });
  await press(page, "Log in");
  await view(page, "profile");
}

async function inside(page) {
  await look(page, "profile");
  for (const name of ["address", "sessions", "data", "password", "app", "phone"]) {
    await step(page, name);
    if (name === "password") await page.locator("main input[name=password]").focus();
    if (name === "app") await press(page, "Add an authenticator app");
    if (name === "app") await page.locator("svg.qr").waitFor();
    if (name === "phone") await press(page, "Send a code to +12025550117");
    if (name === "phone") await letter(page, "otp", "+12025550117").waitFor();
    await look(page, name);
  }
  await letter(page, "otp", "+12025550117").getByRole("button", { name: /Use the code/ }).click();
  await press(page, "Verify the phone");
  await news(page, "The phone is verified");
  await press(page, "Switch it on");
  await news(page, "SMS is on.");
  await look(page, "phone-on");
}

/** By a reset link and a second factor. */
async function backIn(page) {
  await page.locator("#log-out").click();
  await view(page, "login");
  await step(page, "forgot");
  await look(page, "forgot");
  await fill(page, { email: EMAIL });
  await press(page, "Send a link");
  await letter(page, "mail_password_reset", EMAIL).getByRole("button", { name: /Follow the link/ }).click();
  await view(page, "reset");
  await look(page, "reset");
  await step(page, "login");
  await fill(page, { username: EMAIL, password: person(EMAIL).password });
  await press(page, "Log in");
  await view(page, "factor");
  await look(page, "factor");
}

/** The button wins over the system, and its choice outlives a reload. */
async function toggled(page) {
  await page.emulateMedia({ colorScheme: "light" });
  const ground = () => page.evaluate(() => getComputedStyle(document.querySelector("main")).backgroundColor);
  const light = await ground();
  await page.getByRole("button", { name: "Switch to the dark theme" }).click();
  const dark = await ground();
  truth(dark !== light, "the button changes the theme");
  await page.reload();
  await page.waitForSelector("html[data-ready]");
  truth((await ground()) === dark, "the choice outlives a reload");
  await page.getByRole("button", { name: "Switch to the light theme" }).click();
}
