/** A component, for tools that read TypeScript only; vue-tsc sees each one as it is. */
declare module "*.vue" {
  import type { Component } from "vue";

  const component: Component;
  export default component;
}
