import { readdir } from "node:fs/promises";
import { extname, join, relative, sep } from "node:path";

/**
 * What the page may do, as the header `content-security-policy`: its own files, its own server, WebAssembly; no inline script or
 * style, no other origin, no frame around it.
 */
export const contentSecurityPolicy = [
  "default-src 'none'",
  "script-src 'self' 'wasm-unsafe-eval'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "worker-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join("; ");

export interface PageFile {
  readonly bytes: Uint8Array;
  readonly contentType: string;
  /** The path holds a hash of the bytes: it may be kept for ever. */
  readonly isImmutable: boolean;
}

/** Files by their path relative to the page, such as "index.html". All addresses in them are relative. */
export type PageFiles = ReadonlyMap<string, PageFile>;

const contentTypes: Readonly<Record<string, string>> = {
  ".css": "text/css; charset=utf-8",
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".json": "application/json",
  ".mjs": "text/javascript; charset=utf-8",
  ".svg": "image/svg+xml",
  ".txt": "text/plain; charset=utf-8",
  ".wasm": "application/wasm",
};

/** A file with the type that its name's ending stands for. */
export function pageFile(path: string, bytes: Uint8Array, isImmutable = false): PageFile {
  return { bytes, contentType: contentTypes[extname(path)] ?? "application/octet-stream", isImmutable };
}

/** Paths of the files under a folder, relative to it; none where there is no folder. Links are left out. */
export async function filesUnder(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  const files = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  return files.map((file) => relative(folder, file).split(sep).join("/"));
}
