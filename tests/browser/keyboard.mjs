// From registration to login by keyboard alone: Tab, typing, Enter. The element that has the focus shows it.
import { blameless, equal, open, truth } from "./browser.mjs";
import { view } from "./story.mjs";

const focused = (page) => page.evaluate(() => {
  const element = document.activeElement;
  const style = getComputedStyle(element);
  const box = element.getBoundingClientRect();
  return {
    name: element.name || element.id || element.getAttribute("aria-label") || element.textContent.trim(),
    outlined: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2,
    seen: box.width > 0 && box.bottom > 0 && box.top < innerHeight,
  };
});

/** Tab by Tab to something, and every stop on the way can be seen. */
async function tabTo(page, name) {
  for (let steps = 0; steps < 60; steps += 1) {
    await page.keyboard.press("Tab");
    const at = await focused(page);
    truth(at.outlined && at.seen, `the focus shows at ${at.name}`);
    if (at.name === name) return steps;
  }
  throw new Error(`${name} cannot be reached by Tab`);
}

export async function keyboard({ browser, base }) {
  const tab = await open(browser, base);
  const { page } = tab;
  await page.keyboard.press("Tab");
  equal((await focused(page)).name, "Skip to the form", "the first stop");
  await page.keyboard.press("Enter");
  const email = "keyboard@example.com";
  const typed = [["first_name", "Wangari"], ["last_name", "Maathai"], ["email", email], ["country_code", "United States +"], ["phone", "+12025550118"], ["password", "umbra-kq7-lantern-oats"]];
  for (const [name, text] of typed) {
    const steps = await tabTo(page, name);
    truth(steps === 0, `${name} is the next stop`);
    await page.keyboard.type(text);
  }
  equal(await page.locator("[name=country_code]").inputValue(), "US", "a country chosen by typing its name");
  await page.keyboard.press("Enter");
  await view(page, "verify");
  equal(await page.evaluate(() => document.activeElement.tagName), "H1", "a new view begins at its title");
  await page.locator(`.letter[data-to="${email}"]`).waitFor();
  await tabTo(page, "Use the code: Verification");
  await page.keyboard.press("Enter");
  equal((await focused(page)).name, "code", "the code's field, filled in, has the focus");
  await page.keyboard.press("Enter");
  await view(page, "login");
  await tabTo(page, "username");
  equal(await page.locator("[name=username]").inputValue(), email, "the address is remembered");
  await tabTo(page, "password");
  await page.keyboard.type("umbra-kq7-lantern-oats");
  await page.keyboard.press("Enter");
  await view(page, "profile");
  await blameless(tab);
  await tab.context.close();
}
