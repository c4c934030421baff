import js from "@eslint/js";
import { defineConfig, globalIgnores } from "eslint/config";
import tseslint from "typescript-eslint";
import vue from "eslint-plugin-vue";
import vueParser from "vue-eslint-parser";

/** A room imports only from itself and from the rooms below it: core <- client <- app. */
function rooms(forbidden, reason) {
  return { group: forbidden, message: reason };
}

const PLATFORM = ["node:*", "vue", "vue/*", "vitest", "fast-check"];
const NOBLE = rooms(
  ["@noble/*"],
  "Primitives come in through core/primitives.ts; only core/webcrypto.ts knows the library.",
);

/** The page may know these of the client; the rest of it lives in the worker. */
const PAGE_SIDE = ["page\\.ts$", "messages\\.ts$", "worker\\.ts\\?worker&url$"];

/** Components and screens draw view models, and know of no client. */
const DRAWN = ["app/App.vue", "app/components/**", "app/screens/**"];

const UNDER_TYPES = {
  projectService: true,
  tsconfigRootDir: import.meta.dirname,
  extraFileExtensions: [".vue"],
};

export default defineConfig(
  globalIgnores(["dist/", "node_modules/"]),
  js.configs.recommended,
  {
    files: ["**/*.vue"],
    extends: [vue.configs["flat/recommended"]],
    languageOptions: {
      parser: vueParser,
      parserOptions: { ...UNDER_TYPES, parser: tseslint.parser },
    },
    rules: {
      // the shape of a template is Prettier's
      "vue/first-attribute-linebreak": "off",
      "vue/html-closing-bracket-newline": "off",
      "vue/html-indent": "off",
      "vue/html-self-closing": "off",
      "vue/max-attributes-per-line": "off",
      "vue/multiline-html-element-content-newline": "off",
      "vue/singleline-html-element-content-newline": "off",
      // what came from outside is text, never markup
      "vue/no-v-html": "error",
      "vue/no-v-text-v-html-on-component": "error",
      "vue/block-lang": ["error", { script: { lang: "ts" } }],
      "vue/component-api-style": ["error", ["script-setup"]],
      "vue/no-static-inline-styles": "error",
      "vue/no-undef-properties": "error",
      "vue/no-unused-refs": "error",
      "vue/require-default-prop": "off", // an absent prop is undefined, and typed so
    },
  },
  {
    files: ["**/*.ts", "**/*.vue"],
    extends: [tseslint.configs.strictTypeChecked, tseslint.configs.stylisticTypeChecked],
    languageOptions: { parserOptions: UNDER_TYPES },
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
  {
    files: ["**/*.vue"],
    languageOptions: { parser: vueParser, parserOptions: { parser: tseslint.parser } },
    rules: {
      "no-undef": "off", // vue-tsc knows the page's names
      // a component is an unknown to TypeScript alone, and vue-tsc checks what is done with it
      "@typescript-eslint/no-unsafe-call": "off",
      "@typescript-eslint/no-unsafe-member-access": "off",
    },
  },
  {
    files: ["app/**/*.ts", "app/**/*.vue"],
    rules: {
      "no-restricted-imports": [
        "error",
        {
          patterns: [
            rooms(
              ["node:*", "vitest", "**/core/**", "**/tests/**"],
              "app imports only app and the client's page side.",
            ),
            {
              regex: `/client/(?!${PAGE_SIDE.join("|")})`,
              message: "Only page.ts and messages.ts of the client are for the page.",
            },
            NOBLE,
          ],
        },
      ],
    },
  },
  {
    files: DRAWN,
    rules: {
      "no-restricted-imports": [
        "error",
        {
          patterns: [
            rooms(
              ["node:*", "vitest", "**/core/**", "**/client/**", "**/adapter/**", "**/tests/**"],
              "Components and screens know view models only.",
            ),
            NOBLE,
          ],
        },
      ],
    },
  },
  {
    files: ["app/dev/*.ts", "app/build/*.ts", "tests/**/*.ts"],
    rules: { "no-restricted-imports": "off" },
  },
);
