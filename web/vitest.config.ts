import { defineConfig } from "vitest/config";
import { appDefines, appPlugins } from "./vite.config.ts";

const CORE = "tests/core/**/*.test.ts";
const APP = "tests/app/**/*.test.ts";

export default defineConfig({
  test: {
    environment: "node",
    restoreMocks: true,
    testTimeout: 10_000,
    projects: [
      // the core has no globals that one file could spoil for another: sharing modules halves the time
      { extends: true, test: { name: "core", include: [CORE], isolate: false } },
      { extends: true, test: { name: "rooms", include: ["tests/**/*.test.ts"], exclude: [CORE, APP] } },
      {
        extends: true,
        plugins: appPlugins(),
        define: appDefines,
        test: { name: "app", include: [APP], environment: "happy-dom" },
      },
    ],
  },
});
