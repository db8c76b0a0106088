import { BertqaError } from "@bertqa/core";
import { cacheFolder } from "@bertqa/runner/cache-folder";
import { join } from "node:path";
import { parseSource } from "./sources.ts";

/** How patiently a download is tried again. */
export interface RetryPolicy {
  /** Tries after the first. */
  readonly retries: number;
  /** Delay before the first retry; each next one is twice as long, times a random 1 to 2. */
  readonly firstDelayMs: number;
  readonly longestDelayMs: number;
  /** A server that asks for a longer wait (Retry-After) is given up. */
  readonly longestRetryAfterMs: number;
  readonly connectTimeoutMs: number;
  /** Longest silence in the middle of an answer, and how often its speed is looked at. */
  readonly idleTimeoutMs: number;
  /** An answer that comes more slowly is given up and tried again. */
  readonly slowestBytesPerSecond: number;
}

/** What fetch takes from the machine it runs on; none of it decides the artifact's bytes. */
export interface FetchEnvironment {
  /** Verified downloads, named by their sha256, shared by all pipelines of a user. */
  readonly downloadsFolder: string;
  readonly hubEndpoint: string;
  readonly hubToken: string | undefined;
  readonly retry: RetryPolicy;
  /** For pip, and for the proxy's address. */
  readonly variables: NodeJS.ProcessEnv;
}

const patientRetry: RetryPolicy = {
  retries: 5,
  firstDelayMs: 1_000,
  longestDelayMs: 30_000,
  longestRetryAfterMs: 120_000,
  connectTimeoutMs: 10_000,
  idleTimeoutMs: 30_000,
  slowestBytesPerSecond: 1_000,
};

/**
 * Reads BERTQA_CACHE, XDG_CACHE_HOME, HF_ENDPOINT, HF_TOKEN; an empty variable counts as unset.
 *
 * @throws BertqaError if HF_TOKEN or HF_ENDPOINT cannot be used; the message shows neither
 */
export function fetchEnvironment(variables: NodeJS.ProcessEnv = process.env): FetchEnvironment {
  return {
    downloadsFolder: join(cacheFolder(variables), "downloads"),
    hubEndpoint: readEndpoint(variables["HF_ENDPOINT"] || "https://huggingface.co"),
    hubToken: readToken(variables["HF_TOKEN"]?.trim()),
    retry: patientRetry,
    variables,
  };
}

function readToken(token: string | undefined): string | undefined {
  if (!token) return undefined;
  if (/^[\x21-\x7e]+$/.test(token)) return token;
  const problem = "HF_TOKEN holds a line break, a space or another character that no token has";
  throw new BertqaError("fetch", problem, { remedy: "Set it to the token alone" });
}

function readEndpoint(endpoint: string): string {
  const source = parseSource(endpoint);
  if (source.kind === "http") return source.url.replace(/\/+$/, "");
  const expected = "an https address without user name, password and query (plain http only on this machine)";
  throw new BertqaError("fetch", `HF_ENDPOINT cannot be used: expected ${expected}`);
}
