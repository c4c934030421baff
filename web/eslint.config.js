import js from "@eslint/js";
import { defineConfig, globalIgnores } from "eslint/config";
import tseslint from "typescript-eslint";

/** A room imports only from itself and from the rooms below it: core <- client <- app. */
function rooms(forbidden, reason) {
  return { group: forbidden, message: reason };
}

const PLATFORM = ["node:*", "vue", "vue/*", "vitest", "fast-check"];
const NOBLE = rooms(
  ["@noble/*"],
  "Primitives come in through core/primitives.ts; only core/webcrypto.ts knows the library.",
);

export default defineConfig(
  globalIgnores(["dist/", "node_modules/"]),
  js.configs.recommended,
  {
    files: ["**/*.ts"],
    extends: [tseslint.configs.strictTypeChecked, tseslint.configs.stylisticTypeChecked],
    languageOptions: {
      parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname },
    },
    rules: {
      "@typescript-eslint/consistent-type-exports": "error",
      "@typescript-eslint/consistent-type-imports": "error",
      "@typescript-eslint/explicit-module-boundary-types": "error",
      "@typescript-eslint/no-unused-vars": ["error", { argsIgnorePattern: "^_" }],
      "@typescript-eslint/no-redeclare": "off", // a code and its type share one name
      "@typescript-eslint/promise-function-async": "error",
      "@typescript-eslint/restrict-template-expressions": ["error", { allowNumber: true }],
      "@typescript-eslint/switch-exhaustiveness-check": "error",
      eqeqeq: "error",
      "no-console": "error",
    },
  },
  {
    files: ["core/**/*.ts"],
    rules: {
      "no-restricted-imports": [
        "error",
        {
          patterns: [
            rooms(
              [...PLATFORM, "**/client/**", "**/app/**", "**/tests/**"],
              "core imports nothing but core.",
            ),
            NOBLE,
          ],
        },
      ],
    },
  },
  {
    files: ["core/webcrypto.ts"],
    rules: {
      "no-restricted-imports": [
        "error",
        {
          patterns: [
            rooms(
              [...PLATFORM, "**/client/**", "**/app/**", "**/tests/**"],
              "core imports nothing but core.",
            ),
          ],
        },
      ],
    },
  },
  {
    files: ["client/**/*.ts"],
    rules: {
      "no-restricted-imports": [
        "error",
        {
          patterns: [
            rooms([...PLATFORM, "**/app/**", "**/tests/**"], "client imports only client and core."),
            NOBLE,
          ],
        },
      ],
    },
  },
  {
    // the one derivation that is slow on purpose belongs to the vault, and no protocol knows it
    files: ["client/vault/passphrase.ts"],
    rules: {
      "no-restricted-imports": [
        "error",
        {
          patterns: [
            rooms([...PLATFORM, "**/app/**", "**/tests/**"], "client imports only client and core."),
          ],
        },
      ],
    },
  },
);
