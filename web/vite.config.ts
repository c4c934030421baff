import { fileURLToPath } from "node:url";
import { defineConfig, type PluginOption } from "vite";
import vue from "@vitejs/plugin-vue";
import messages from "@intlify/unplugin-vue-i18n/vite";
import { offline } from "./app/build/offline.ts";

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

/**
 * Vue components and the messages, both compiled ahead: the page's CSP allows no eval. Nothing is hoisted into
 * strings of HTML, so that Trusted Types can be required without a policy for us.
 */
export function appPlugins(): PluginOption[] {
  return [
    vue({ template: { compilerOptions: { hoistStatic: false } } }),
    messages({
      include: [here("./app/locales/*.json")],
      runtimeOnly: true,
      compositionOnly: true,
      fullInstall: false,
    }),
  ];
}

/** What the compilers of Vue and vue-i18n may leave out. */
export const appDefines = {
  __VUE_OPTIONS_API__: "false",
  __VUE_PROD_DEVTOOLS__: "false",
  __VUE_PROD_HYDRATION_MISMATCH_DETAILS__: "false",
  __VUE_I18N_FULL_INSTALL__: "false",
  __VUE_I18N_LEGACY_API__: "false",
  __INTLIFY_DROP_MESSAGE_COMPILER__: "true",
  __INTLIFY_PROD_DEVTOOLS__: "false",
};

export default defineConfig({
  root: here("./app"),
  plugins: [...appPlugins(), offline(here("./app/offline/service-worker.ts"))],
  define: appDefines,
  build: {
    outDir: here("./dist"),
    emptyOutDir: true,
    target: "es2023",
    assetsInlineLimit: 0, // no data: addresses, which the CSP forbids
    modulePreload: { polyfill: false },
    sourcemap: false,
  },
  worker: {
    format: "es",
    rolldownOptions: { output: { entryFileNames: "assets/worker-[hash].js" } },
  },
});
