/** The two script addresses of the app, made by the one policy that the page's CSP allows (Trusted Types). */

/** Where Trusted Types exist. */
interface Policies {
  createPolicy(
    name: string,
    rules: { createScriptURL: (address: string) => string },
  ): { createScriptURL(address: string): unknown };
}

const ALLOWED: readonly RegExp[] = [/^\/assets\/worker-[\w-]+\.js$/u, /^\/service-worker\.js$/u];

/** Lets through an address of this origin that is one of the app's own two scripts; throws TypeError otherwise. */
export function checkScript(address: string, origin: string): string {
  const url = new URL(address, origin);
  if (url.origin !== origin || !ALLOWED.some((allowed) => allowed.test(url.pathname))) {
    throw new TypeError("not a script of this app");
  }
  return url.href;
}

const check = (address: string): string =>
  // while it is being written, Vite serves the worker's sources from wherever they are
  import.meta.env.MODE === "development" ? address : checkScript(address, location.origin);
const policies = (globalThis as { trustedTypes?: Policies }).trustedTypes;
const policy = policies?.createPolicy("whisp", { createScriptURL: check });

/** Returns the address as the browser wants it. Its type says string, which is what APIs are typed for. */
export function scriptAddress(address: string): string {
  return (policy?.createScriptURL(address) ?? check(address)) as string;
}
