import { BertqaError } from "@bertqa/core";
import {
  addToken,
  createCacheServer,
  followTokens,
  openFolderStore,
  openS3Store,
  removeToken,
  stopOnSignals,
  type Store,
} from "@bertqa/remote-cache/server";
import { createReporter } from "@bertqa/runner";
import { resolve } from "node:path";

export interface CacheServerFlags {
  readonly folder?: string;
  readonly bucket?: string;
  readonly prefix: string;
  readonly endpoint?: string;
  readonly region?: string;
  readonly tokens: string;
  readonly host: string;
  readonly port: number;
  readonly allowedHost?: readonly string[];
  readonly maxSize: number;
  readonly maxEntry: number;
}

/** Serves a shared cache until a signal ends it. Prints its address. */
export async function cacheServer(flags: CacheServerFlags): Promise<void> {
  const reporter = createReporter("cache");
  if ((flags.folder === undefined) === (flags.bucket === undefined)) {
    const remedy = "Give --folder DIR or --bucket NAME";
    throw new BertqaError("cache-server", "expected a folder or a bucket to keep entries in, and not both", { remedy });
  }
  if (flags.maxEntry > flags.maxSize) {
    const remedy = "Set --max-size above it";
    throw new BertqaError("cache-server", "one entry of --max-entry would not fit into --max-size", { remedy });
  }
  const grants = await followTokens(flags.tokens, (problem) => reporter.line(problem));
  const store = await openStore(flags);
  const { host, port, allowedHost: allowedHosts = [], maxSize: mostBytes, maxEntry: mostEntryBytes } = flags;
  try {
    const service = await createCacheServer({ store, grants, host, port, allowedHosts, mostBytes, mostEntryBytes });
    stopOnSignals(service);
    process.stdout.write(`${await service.listen()}\n`);
  } catch (error) {
    await store.close();
    throw error;
  }
}

async function openStore({ folder, bucket, prefix, endpoint, region }: CacheServerFlags): Promise<Store> {
  if (folder !== undefined) return openFolderStore(resolve(folder));
  return openS3Store({ bucket: bucket ?? "", prefix, endpoint, region });
}

export interface TokenFlags {
  readonly tokens: string;
  /** Needed for a new token. */
  readonly scope?: "read" | "write";
  readonly namespace: string;
  readonly remove?: boolean;
}

/** Makes a token, and prints it once; or removes one. */
export async function cacheToken(
  name: string,
  { tokens, scope, namespace, remove = false }: TokenFlags,
): Promise<void> {
  if (remove) return removeToken(tokens, name);
  if (scope === undefined) {
    const remedy = "Give --scope read or --scope write";
    throw new BertqaError("cache-server", "expected what the token is for", { remedy });
  }
  const token = await addToken(tokens, { name, scope, namespace });
  process.stdout.write(`${token}\n`);
}
