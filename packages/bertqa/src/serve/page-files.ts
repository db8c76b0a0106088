import { contentSecurityPolicy, filesUnder, pageFile, type PageFiles } from "@bertqa/page/files";
import type { HttpService } from "@bertqa/http";
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";

/**
 * The page's files: of the published package those that were built with it; in the workspace the page is built now.
 *
 * @returns nothing where the page cannot be had
 */
export async function loadPage(): Promise<PageFiles> {
  if (!import.meta.url.endsWith(".ts")) return readPage(join(import.meta.dirname, "page"));
  return (await import("@bertqa/page/build")).buildServedPage();
}

/** The files of a page that was built. Those under `assets`, and a demo's model, have a hash in their path. */
export async function readPage(folder: string): Promise<PageFiles> {
  const read = (await filesUnder(folder)).map(
    async (path) =>
      [path, pageFile(path, await readFile(join(folder, path)), /^(assets|model-\w+)\//.test(path))] as const,
  );
  return new Map(await Promise.all(read));
}

/** Serves each file at its path, index.html at `/`: no path that a client makes up reaches a disk. */
export function addPage({ app }: HttpService, files: PageFiles): void {
  for (const [path, { bytes, contentType, isImmutable }] of files) {
    const tag = `"${createHash("sha256").update(bytes).digest("base64url")}"`;
    const body = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength); // no copy: a model is large
    const headers = {
      "content-type": contentType,
      "content-security-policy": contentSecurityPolicy,
      "cross-origin-embedder-policy": "require-corp",
      "cache-control": isImmutable ? "public, max-age=31536000, immutable" : "no-cache",
      etag: tag,
    };
    const addresses = path === "index.html" ? ["/", "/index.html"] : [`/${path}`];
    for (const url of addresses) {
      app.get(url, { schema: { hide: true } }, (request, reply) => {
        reply.headers(headers);
        const known = request.headers["if-none-match"]?.split(/\s*,\s*/).map((each) => each.replace(/^W\//, ""));
        return known?.includes(tag) ? reply.code(304).send() : reply.send(body);
      });
    }
  }
}
