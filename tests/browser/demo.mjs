// Tests the whole demo in Chromium. `node demo.mjs SERVER HOST`: the address of a server, and of another host with the same
// files. The program that starts it advances the server's clock when standard output asks for it.
import { createInterface } from "node:readline";
import { looks } from "./accessible.mjs";
import { launch, shoot } from "./browser.mjs";
import { keyboard } from "./keyboard.mjs";
import { cookieMode, elsewhere, withoutPackage } from "./elsewhere.mjs";
import { story } from "./story.mjs";

const [base, host] = process.argv.slice(2);
const answers = createInterface({ input: process.stdin })[Symbol.asyncIterator]();

/** The server's clock goes on by so many seconds. */
const advance = async (seconds) => {
  console.log(`advance ${seconds}`);
  await answers.next();
};

const browser = await launch();
try {
  for (const [name, part] of Object.entries({ story, cookieMode, keyboard, looks, elsewhere, withoutPackage })) {
    const began = performance.now();
    await part({ browser, base, host, advance });
    console.log(`passed ${name} in ${Math.round(performance.now() - began)} ms`);
  }
} catch (error) {
  // screenshots, to find the cause
  const pages = browser.contexts().flatMap((context) => context.pages());
  for (const [at, page] of pages.entries()) {
    await shoot(page, `failed-${at}`);
    console.log(`at that moment, ${page.url()}: ${(await page.locator("main").innerText()).slice(0, 400)}`);
  }
  console.log(error.stack);
  process.exitCode = 1;
} finally {
  await browser.close();
}
process.exit();
