import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { bundle } from "./bundle.ts";
import { readExamples } from "./examples.ts";
import { contentSecurityPolicy, pageFile, type PageFiles } from "./files.ts";

export { bundle } from "./bundle.ts";
export { readExamples } from "./examples.ts";
export * from "./files.ts";

const source = import.meta.dirname;

/** The page whose answers come from the server that it came from. */
export async function buildServedPage(): Promise<PageFiles> {
  return buildPage({ script: join(source, "browser/served.ts") });
}

export interface PageOptions {
  /** The TypeScript module that starts the page. */
  readonly script: string;
  /** Names in the script, and the JSON that takes their place. */
  readonly define?: Readonly<Record<string, string>>;
  /** States the policy in the page as well, for hosts that send no headers. */
  readonly hasPolicyElement?: boolean;
}

/**
 * Builds the page: index.html, its script, its style and its icon.
 *
 * @throws if the script does not compile
 */
export async function buildPage({ script, define, hasPolicyElement = false }: PageOptions): Promise<PageFiles> {
  const examples = JSON.stringify(await readExamples());
  const files = await bundle(
    { page: script, style: join(source, "style.css"), icon: join(source, "icon.svg") },
    { define: { ...define, pageExamples: examples } },
  );
  let html = await readFile(join(source, "index.html"), "utf8");
  for (const path of files.keys()) {
    const name = path.replace(/^assets\/(.*)-[^-]*(\.\w+)$/, "$1$2");
    html = html.replace(`"${name}"`, `"${path}"`);
  }
  // frame-ancestors does nothing in an element, and browsers warn of it.
  const policy = contentSecurityPolicy.replace(/; frame-ancestors [^;]*/, "");
  html = html.replace(
    "<!-- policy -->",
    hasPolicyElement ? `<meta http-equiv="content-security-policy" content="${policy}" />` : "",
  );
  return files.set("index.html", pageFile("index.html", new TextEncoder().encode(html)));
}
