/** The real server, as a process of its own. */

import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface, type Interface } from "node:readline";
import { fileURLToPath } from "node:url";

const ROOT = new URL("../../../", import.meta.url);
const SCRIPT = fileURLToPath(new URL("server.py", import.meta.url));

/** Python with the server's packages. */
export const PYTHON = process.env["WHISP_PYTHON"] ?? "python3";

/** The environment in which Python finds this very source. */
export function pythonEnvironment(): NodeJS.ProcessEnv {
  return { ...process.env, PYTHONPATH: fileURLToPath(new URL("src", ROOT)) };
}

/** A running server. Accounts are in a folder of its own, and outlive `restart`. */
export class ServerProcess {
  readonly origin: string;
  readonly #process: ChildProcess;
  readonly #lines: Interface;
  readonly #folder: string;

  private constructor(origin: string, child: ChildProcess, lines: Interface, folder: string) {
    this.origin = origin;
    this.#process = child;
    this.#lines = lines;
    this.#folder = folder;
  }

  /** Starts one on a free port. */
  static async start(): Promise<ServerProcess> {
    const folder = mkdtempSync(join(tmpdir(), "whisp-web-"));
    const child = spawn(PYTHON, [SCRIPT, "0", folder], {
      env: pythonEnvironment(),
      stdio: ["pipe", "pipe", "inherit"],
    });
    const lines = createInterface(child.stdout);
    return new ServerProcess(await nextLine(lines, child), child, lines, folder);
  }

  /** Stops it and starts it anew at the same place: sockets, calls and pre-keys are gone, accounts are not. */
  async restart(): Promise<void> {
    const greeting = nextLine(this.#lines, this.#process);
    this.#process.stdin?.write("restart\n");
    await greeting;
  }

  /** Stops it for good. */
  async stop(): Promise<void> {
    const gone = new Promise((resolve) => this.#process.once("exit", resolve));
    this.#process.stdin?.end();
    await gone;
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

async function nextLine(lines: Interface, child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    lines.once("line", resolve);
    child.once("exit", () => {
      reject(new Error("the server did not start"));
    });
  });
}
