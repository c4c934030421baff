/**
 * Draws the PNG icons from the SVG one: `npx tsx app/dev/icons.ts`; the browser is $CHROMIUM or /usr/bin/chromium.
 * The pictures are committed, so that a build needs no browser.
 */

import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { chromium } from "playwright-core";

const FOLDER = join(import.meta.dirname, "../public/icons");
const PAPER = "#f6f3f1";

/** `mark`: how much of the picture's width the drawing takes. A mask may cut away all but the inner 80 %. */
const PICTURES = [
  { file: "whisp-192.png", size: 192, mark: 0.78 },
  { file: "whisp-512.png", size: 512, mark: 0.78 },
  { file: "whisp-maskable-512.png", size: 512, mark: 0.56 },
] as const;

const drawing = await readFile(join(FOLDER, "whisp.svg"), "utf8");
const browser = await chromium.launch({
  executablePath: process.env["CHROMIUM"] ?? "/usr/bin/chromium",
  args: ["--headless", "--no-sandbox", "--disable-gpu"],
});
try {
  for (const { file, size, mark } of PICTURES) {
    const page = await browser.newPage({ viewport: { width: size, height: size } });
    const side = Math.round(size * mark);
    await page.setContent(
      `<body style="margin:0;display:grid;place-items:center;height:100vh;background:${PAPER}">` +
        `<div style="width:${side}px;height:${side}px">${drawing}</div>`,
    );
    await writeFile(join(FOLDER, file), await page.screenshot({ type: "png" }));
    await page.close();
  }
} finally {
  await browser.close();
}
