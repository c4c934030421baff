/** Two things that are known only when everything is built: the list of files for the service worker, and hashes. */

import { createHash } from "node:crypto";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import ts from "typescript";
import type { PluginOption } from "vite";

const SHELL = "index.html";

/** What the service worker keeps besides the hashed files: an installed app shows them without a network. */
const UNHASHED = ["manifest.webmanifest", "icons/whisp.svg"];

/** Scripts of the first load, compressed. On a slow phone this is three seconds. Bytes. */
const MAX_FIRST_LOAD = 150 * 1024;

/** Addresses with their content in them, and text that becomes code. */
const REFUSED = [
  /url\(\s*["']?data:/u,
  /(?:src|href)=["']data:/u,
  /\bnew Function\(/u,
  /\beval\(/u,
  /<style/u,
  /\sstyle="/u,
];

/** Writes service-worker.js with this build's list, and `integrity` on everything that the shell loads. */
export function offline(worker: string): PluginOption {
  let folder = "";
  return {
    name: "whisp-offline",
    apply: "build",
    configResolved(config) {
      folder = config.build.outDir;
    },
    closeBundle() {
      const shell = withIntegrity(readFileSync(join(folder, SHELL), "utf8"), folder);
      writeFileSync(join(folder, SHELL), shell);
      const bytes = firstLoad(shell, folder);
      this.info(`first load: ${(bytes / 1024).toFixed(1)} KiB of compressed JavaScript`);
      if (bytes > MAX_FIRST_LOAD) this.error("The first load is too heavy: load something of it later.");
      refuse(folder);
      const files = readdirSync(join(folder, "assets")).sort();
      const paths = [...files.map((file) => `/assets/${file}`), ...UNHASHED.map((file) => `/${file}`)];
      const all = createHash("sha256").update(shell);
      for (const path of paths) all.update(path).update(readFileSync(join(folder, path)));
      const build = { name: all.digest("hex").slice(0, 16), files: paths };
      const { outputText } = ts.transpileModule(readFileSync(worker, "utf8"), {
        compilerOptions: {
          target: ts.ScriptTarget.ES2023,
          module: ts.ModuleKind.ESNext,
          removeComments: true,
        },
      });
      writeFileSync(
        join(folder, "service-worker.js"),
        `const BUILD = ${JSON.stringify(build)};\n${outputText}`,
      );
    },
  };
}

/** Compressed bytes of all scripts that the shell waits for. */
export function firstLoad(shell: string, folder: string): number {
  const scripts = [...shell.matchAll(/(?:src|href)="(\/assets\/[^"]+\.js)"/gu)].map(([, path = ""]) => path);
  return scripts.reduce(
    (sum, path) => sum + gzipSync(readFileSync(join(folder, path)), { level: 9 }).length,
    0,
  );
}

/** Throws if anything was built that the page's CSP would refuse: a test would find it later, and less clearly. */
export function refuse(folder: string): void {
  const names = readdirSync(folder, { recursive: true, encoding: "utf8" });
  for (const name of names.filter((one) => /\.(?:js|css|html)$/u.test(one))) {
    const text = readFileSync(join(folder, name), "utf8");
    const found = REFUSED.find((refused) => refused.test(text));
    if (found !== undefined) throw new Error(`${name} has what the CSP refuses: ${String(found)}`);
  }
}

/** Returns the shell with the SHA-384 of every script and style sheet in its tag. Throws if one is not there. */
export function withIntegrity(shell: string, folder: string): string {
  return shell.replace(
    /<(script|link)\b([^>]*?)\s(src|href)="(\/assets\/[^"]+\.(?:js|css))"([^>]*)>/gu,
    (...found) => {
      const [, tag, before, attribute, path, after] = found as string[];
      const hash = createHash("sha384")
        .update(readFileSync(join(folder, path ?? "")))
        .digest("base64");
      return `<${tag ?? ""}${before ?? ""} ${attribute ?? ""}="${path ?? ""}" integrity="sha384-${hash}"${after ?? ""}>`;
    },
  );
}
