import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { createCacheServer, openFolderStore, type CacheServerOptions, type Store } from "../../src/server/index.ts";
import { grantFor, type Grant, type Purpose } from "../../src/server/tokens.ts";
import { sha256 } from "./archives.ts";

export async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "bertqa-remote-cache-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

export const purposes: readonly Purpose[] = [
  { name: "main", scope: "write", namespace: "shared" },
  { name: "reader", scope: "read", namespace: "shared" },
  { name: "pr", scope: "write", namespace: "pr" },
];

/** Each token is its grant's name twelve times: the server knows hashes alone. */
export const tokenOf = (name: string): string => name.repeat(12);
export const grants: readonly Grant[] = purposes.map((purpose) => grantFor(purpose, sha256(tokenOf(purpose.name))));

export interface TestServer {
  readonly url: string;
  readonly folder: string;
  readonly log: string[];
  stop(): Promise<unknown>;
  call(method: string, hash: string, name: string, init?: RequestInit): Promise<Response>;
}

/** A server on loopback over a folder of the test's own. */
export async function startServer(
  more: Partial<CacheServerOptions> & { readonly folder?: string; readonly store?: Store } = {},
): Promise<TestServer> {
  const folder = more.folder ?? (await temporaryFolder());
  const log: string[] = [];
  const service = await createCacheServer({
    store: more.store ?? (await openFolderStore(folder)),
    grants: async () => grants,
    ...{ mostBytes: 1e9, mostEntryBytes: 1e8 },
    logStream: { write: (line) => void log.push(line) },
    ...more,
  });
  const url = await service.listen();
  onTestFinished(async () => void (await service.stop()));
  return {
    ...{ url, folder, log },
    stop: () => service.stop(),
    call: (method, hash, name, init = {}) =>
      fetch(`${url}/v1/cache/${hash}`, {
        ...init,
        method,
        headers: {
          authorization: `Bearer ${tokenOf(name)}`,
          "content-type": "application/octet-stream",
          ...(init.headers as Record<string, string>),
        },
      }),
  };
}
