/**
 * Takes every screen of the gallery as a picture, in two sizes, light, dark and Arabic, and asks axe about each.
 * Also fails on anything the CSP refused, on errors of the page and on a page that scrolls sideways.
 *
 * `npx tsx app/dev/screenshots.ts [folder] [screen …]`; the browser is $CHROMIUM or /usr/bin/chromium.
 */

import { mkdir, mkdtemp, readFile, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { AxeResults } from "axe-core";
import { chromium, type Page } from "playwright-core";
import { buildGallery, serve } from "./site.ts";

const SCREENS = [
  "starting onboarding onboarding-taken unlock locked home home-empty home-down notfound declined ring-out ring-in",
  "ring-in-new chat-start chat chat-foreign chat-direct chat-asked chat-many offline offline-short safety keychanged",
  "stopped gone gone-silent settings stored erased safety-scanned unusable locked-passkey locked-damaged notice updated",
]
  .join(" ")
  .split(" ");
const SIZES = [
  { name: "desktop", width: 1280, height: 800 },
  { name: "phone", width: 390, height: 844 },
] as const;
const LOOKS = [
  { name: "light", query: "theme=light" },
  { name: "dark", query: "theme=dark" },
  { name: "ar", query: "theme=light&language=ar" },
] as const;
const RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
const FLAGS = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

async function check(page: Page, axe: string): Promise<string[]> {
  await page.evaluate(axe);
  const results = await page.evaluate<AxeResults>(
    `axe.run(document, { runOnly: ${JSON.stringify(RULES)}, resultTypes: ["violations"] })`,
  );
  const found = results.violations.map(
    ({ id, impact, nodes }) =>
      `axe ${impact ?? "minor"} ${id}: ${nodes.map((one) => one.html.slice(0, 120)).join(" | ")}`,
  );
  const sideways = await page.evaluate<number>("document.documentElement.scrollWidth - innerWidth");
  return sideways > 0 ? [...found, `scrolls sideways by ${sideways} px`] : found;
}

async function main(folder: string, screens: readonly string[]): Promise<number> {
  const work = await mkdtemp(join(tmpdir(), "whisp-gallery-"));
  await buildGallery(join(work, "site"));
  await mkdir(folder, { recursive: true });
  const site = await serve(join(work, "site"));
  const axe = await readFile(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
  const browser = await chromium.launchPersistentContext(join(work, "profile"), {
    executablePath: process.env["CHROMIUM"] ?? "/usr/bin/chromium",
    args: FLAGS,
    reducedMotion: "reduce",
  });
  const page = await browser.newPage();
  let findings: string[] = [];
  page.on("console", (message) => {
    if (message.type() === "error" || message.type() === "warning")
      findings.push(`console: ${message.text()}`);
  });
  page.on("pageerror", (error) => findings.push(`error: ${error.message}`));
  let bad = 0;
  try {
    for (const size of SIZES) {
      await page.setViewportSize(size);
      for (const look of LOOKS) {
        for (const screen of screens) {
          findings = [];
          await page.goto(`${site.origin}/dev/gallery/index.html?screen=${screen}&${look.query}`);
          await page.waitForSelector("#whisp :first-child");
          await page.waitForTimeout(120);
          await page.screenshot({ path: join(folder, `${screen}-${size.name}-${look.name}.png`) });
          findings.push(...(await check(page, axe)));
          bad += findings.length;
          for (const finding of findings) {
            process.stdout.write(`${screen} ${size.name} ${look.name}: ${finding}\n`);
          }
        }
      }
    }
  } finally {
    await browser.close();
    site.stop();
    await rm(work, { recursive: true, force: true });
  }
  process.stdout.write(`${screens.length * SIZES.length * LOOKS.length} pictures, ${bad} findings\n`);
  return bad === 0 ? 0 : 1;
}

const [folder = join(tmpdir(), "whisp-screens"), ...wanted] = process.argv.slice(2);
process.exitCode = await main(folder, wanted.length > 0 ? wanted : SCREENS);
