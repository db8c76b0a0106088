import { contentSecurityPolicy, filesUnder, pageFile } from "@bertqa/page/files";
import { BertqaError } from "@bertqa/squad";
import { readFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";

export interface ServeOptions {
  /** 0: any free one. */
  readonly port?: number;
  /** Path that the files lie under, as "/project/". */
  readonly basePath?: string;
  /** Without the headers, the server is like hosts of static files that set none. */
  readonly hasHeaders?: boolean;
}

export interface StaticServer {
  readonly address: string;
  /** Takes the folder's files as they are now. */
  reload(): Promise<void>;
  close(): Promise<void>;
}

const isolation = {
  "content-security-policy": contentSecurityPolicy,
  "cross-origin-embedder-policy": "require-corp",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-resource-policy": "same-origin",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
};

/**
 * Serves a folder on this machine alone. Only files that were there at the start are served, by name, so no path leads out of it.
 *
 * @throws BertqaError if the folder holds no index.html, or the port is taken
 */
export async function serveFolder(
  folder: string,
  { port = 0, basePath = "/", hasHeaders = true }: ServeOptions = {},
): Promise<StaticServer> {
  let files = await listFiles(folder);
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? "/", "http://localhost");
    const path = pathname.startsWith(basePath) ? pathname.slice(basePath.length) || "index.html" : "";
    const isRead = request.method === "GET" || request.method === "HEAD";
    if (!files.has(path) || !isRead) return response.writeHead(isRead ? 404 : 405).end();
    void readFile(join(folder, path)).then(
      (bytes) => {
        response.writeHead(200, {
          ...(hasHeaders && isolation),
          "content-type": pageFile(path, bytes).contentType,
          "content-length": bytes.length,
          "cache-control": /^(assets|model-\w+)\//.test(path) ? "public, max-age=31536000, immutable" : "no-cache",
        });
        response.end(request.method === "HEAD" ? undefined : bytes);
      },
      () => response.writeHead(500).end(),
    );
  });
  await listen(server, port);
  return {
    address: `http://127.0.0.1:${(server.address() as AddressInfo).port}${basePath}`,
    reload: async () => void (files = await listFiles(folder)),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function listFiles(folder: string): Promise<ReadonlySet<string>> {
  const paths = new Set(await filesUnder(folder));
  if (paths.has("index.html")) return paths;
  throw new BertqaError("demo", `there is no demo in ${folder}`, { remedy: "Run npx nx run demo:build first" });
}

function listen(server: Server, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", (cause: NodeJS.ErrnoException) => {
      const problem = cause.code === "EADDRINUSE" ? `port ${port} is taken` : cause.message;
      reject(new BertqaError("demo", problem, { remedy: "Give another one with --port", cause }));
    });
    server.listen(port, "127.0.0.1", resolve);
  });
}
