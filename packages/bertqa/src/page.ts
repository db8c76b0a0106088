import type { HttpService } from "@bertqa/http";
import { contentSecurityPolicy, pageFile, type PageFile, type PageFiles } from "@bertqa/page/files";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";

/** Adds the page on which people ask: `/` and the files that it needs. No token opens it, since it holds nothing but itself. */
export async function addPage(app: HttpService["app"]): Promise<void> {
  for (const [path, file] of await readPage()) {
    const address = path === "index.html" ? "/" : `/${path}`;
    app.get(address, (_request, reply) => reply.headers(headersOf(file)).send(Buffer.from(file.bytes)));
  }
}

function headersOf({ contentType, isImmutable }: PageFile): Record<string, string> {
  return {
    "content-type": contentType,
    "content-security-policy": contentSecurityPolicy,
    // The page may be newer the next time; a file whose name holds its hash cannot.
    "cache-control": isImmutable ? "public, max-age=31536000, immutable" : "no-cache",
  };
}

/** The page that this package brings; in a checkout, which has none, it is built from its sources. */
async function readPage(): Promise<PageFiles> {
  // build.mjs puts it beside the bundle that this module ends up in.
  const folder = join(import.meta.dirname, "page");
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => undefined);
  if (!entries) return (await import("@bertqa/page")).buildServedPage();
  const files = new Map<string, PageFile>();
  for (const entry of entries.filter((each) => each.isFile())) {
    const file = join(entry.parentPath, entry.name);
    const path = file.slice(join(folder, "/").length).replaceAll("\\", "/");
    files.set(path, pageFile(path, await readFile(file), path.startsWith("assets/")));
  }
  return files;
}
