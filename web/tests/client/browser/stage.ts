/** Chromium, a real server, a real coturn, and pages of the harness: what the scripts beside this one share. */

import { type ChildProcess, spawn } from "node:child_process";
import { createServer } from "node:net";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { type Browser, type BrowserContext, chromium, type Page } from "playwright-core";
import { build } from "vite";

import { ServerProcess } from "../server-process.ts";

const HERE = fileURLToPath(new URL(".", import.meta.url));
const SECRET = "a secret that coturn and the server share";

const CHROMIUM = [
  "--no-sandbox",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  // the harness comes out of this process, so that the browser takes it for a page of the internet's
  "--disable-features=LocalNetworkAccessChecks,LocalNetworkAccessChecksWebRTC",
];

/** A port that was free a moment ago. */
async function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once("error", reject);
    probe.listen(0, "127.0.0.1", () => {
      const address = probe.address();
      probe.close(() => {
        resolve(typeof address === "object" && address !== null ? address.port : 0);
      });
    });
  });
}

/** A TURN server that relays on loopback, which only a test may. */
async function startCoturn(port: number, folder: string): Promise<ChildProcess> {
  const options = [
    "-n",
    `--listening-port=${port}`,
    "--listening-ip=127.0.0.1",
    "--relay-ip=127.0.0.1",
    "--use-auth-secret",
    `--static-auth-secret=${SECRET}`,
    "--realm=whisp.test",
    "--allow-loopback-peers",
    "--no-tls",
    "--no-dtls",
    "--no-cli",
    "--log-file=stdout",
    `--pidfile=${join(folder, "turn.pid")}`,
    `--userdb=${join(folder, "turn.db")}`,
  ];
  const coturn = spawn("turnserver", options, { stdio: "ignore", cwd: folder });
  await new Promise((resolve) => setTimeout(resolve, 500));
  if (coturn.exitCode !== null) throw new Error("coturn did not start");
  return coturn;
}

/** Builds page and worker of the harness; gives the folder. */
async function buildHarness(folder: string): Promise<void> {
  await build({
    configFile: false,
    logLevel: "warn",
    root: HERE,
    build: {
      outDir: folder,
      emptyOutDir: false,
      target: "es2023",
      minify: false,
      rolldownOptions: {
        input: { harness: join(HERE, "harness.ts"), worker: join(HERE, "../../../client/worker.ts") },
        output: { entryFileNames: "[name].js", chunkFileNames: "[name].js" },
        preserveEntrySignatures: "strict",
      },
    },
  });
}

/** Someone at a page. */
export interface Someone {
  readonly name: string;
  readonly page: Page;
  readonly context: BrowserContext;
}

/** All of it; `close` ends what this began. */
export class Stage {
  readonly browser: Browser;
  readonly server: ServerProcess;
  readonly #coturn: ChildProcess;
  readonly #folder: string;
  #people = 0;

  private constructor(browser: Browser, server: ServerProcess, coturn: ChildProcess, folder: string) {
    this.browser = browser;
    this.server = server;
    this.#coturn = coturn;
    this.#folder = folder;
  }

  static async open(): Promise<Stage> {
    const folder = mkdtempSync(join(tmpdir(), "whisp-stage-"));
    const port = await freePort();
    const coturn = await startCoturn(port, folder);
    process.env["WHISP_TURN_URLS"] = `turn:127.0.0.1:${port}?transport=udp`;
    process.env["WHISP_STUN_URLS"] = `stun:127.0.0.1:${port}`;
    process.env["WHISP_TURN_SECRET"] = SECRET;
    const [server] = await Promise.all([ServerProcess.start(), buildHarness(folder)]);
    const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: CHROMIUM });
    return new Stage(browser, server, coturn, folder);
  }

  /** A page of its own browser profile; `before` may change the context. */
  async page(before?: (context: BrowserContext) => Promise<void>): Promise<Someone> {
    const context = await this.browser.newContext();
    await before?.(context);
    await context.route(`${this.server.origin}/harness/**`, async (route) => {
      const file = new URL(route.request().url()).pathname.slice("/harness/".length);
      if (file === "index.html") {
        const body = '<!doctype html><script type="module" src="/harness/harness.js"></script>';
        await route.fulfill({ contentType: "text/html", body });
      } else {
        const body = readFileSync(join(this.#folder, file));
        await route.fulfill({ contentType: "text/javascript", body });
      }
    });
    const page = await context.newPage();
    page.on("pageerror", (error) => {
      process.stderr.write(`page: ${error.message}\n`);
    });
    page.on("console", (message) => {
      process.stderr.write(`console: ${message.text()}\n`);
    });
    await page.goto(`${this.server.origin}/harness/index.html`);
    await page.waitForFunction("globalThis.whisp !== undefined");
    this.#people += 1;
    return { name: `page-${process.pid}-${this.#people}`, page, context };
  }

  /** The same, registered and online. */
  async someone(before?: (context: BrowserContext) => Promise<void>): Promise<Someone> {
    const someone = await this.page(before);
    await ask(someone, "temporaryVault");
    await ask(someone, "register", someone.name);
    await ask(someone, "login");
    return someone;
  }

  async close(): Promise<void> {
    await this.browser.close();
    await this.server.stop();
    this.#coturn.kill();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** Runs an expression of the page's `whisp`. */
export async function run(someone: Someone, expression: string): Promise<unknown> {
  return someone.page.evaluate(`whisp.${expression}`);
}

/** One command of the worker's. */
export async function ask(someone: Someone, name: string, ...args: readonly unknown[]): Promise<unknown> {
  return run(someone, `ask(${[name, ...args].map((part) => JSON.stringify(part)).join(", ")})`);
}

/** Calls and accepts; gives the numbers of the call at both ends. */
export async function connect(caller: Someone, callee: Someone): Promise<[number, number]> {
  const calling = ask(caller, "call", callee.name) as Promise<{ id: number }>;
  const { ring } = (await run(callee, 'next("ring")')) as { ring: { id: number } };
  const [mine, theirs] = await Promise.all([calling, ask(callee, "acceptRing", ring.id)]);
  return [mine.id, (theirs as { id: number }).id];
}
