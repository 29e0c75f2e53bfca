// A headless Chromium (Debian's), and pages that write down everything that goes wrong in them.
import { execFileSync } from "node:child_process";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { after } from "node:test";

import { chromium } from "playwright-core";

// Of this run, for whoever wants to look: beside the packages.
export const kScreenshots = join(process.cwd(), "screenshots");
mkdirSync(kScreenshots, { recursive: true });

const browser = await chromium.launch({
  executablePath: execFileSync("sh", ["-c", "command -v chromium"], { encoding: "utf8" }).trim(),
  // root has no other way to run it
  args: process.getuid() === 0 ? ["--no-sandbox"] : [],
});
after(() => browser.close());

// A page at `url`; `page.faults` has errors of scripts, lines of error in the console, and what the page's security
// policy stopped.
export async function openPage(url, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, reducedMotion: "reduce", ...options });
  const page = await context.newPage();
  page.faults = [];
  page.on("pageerror", (error) => page.faults.push(`script: ${error.stack ?? error}`));
  page.on("console", (line) => {
    if (line.type() === "error" || line.type() === "warning") page.faults.push(`console: ${line.text()} ${line.location().url}`);
  });
  page.on("dialog", (dialog) => {
    page.faults.push(`dialog: ${dialog.message()}`);
    dialog.dismiss();
  });
  page.on("request", (request) => {
    if (!request.url().startsWith(new URL(url).origin) && !request.url().startsWith("data:")) page.faults.push(`asks elsewhere: ${request.url()}`);
  });
  page.setDefaultTimeout(30_000);
  await page.goto(url);
  page.text = (selector) => page.locator(selector).innerText();
  page.shot = (name) => page.screenshot({ path: join(kScreenshots, `${name}.png`), fullPage: true });
  // What a screen would have to be scrolled sideways for.
  page.overflow = () => page.evaluate(() => Math.max(0, document.documentElement.scrollWidth - innerWidth));
  return page;
}
