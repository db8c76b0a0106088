import { cacheFolder } from "@bertqa/runner/cache-folder";
import { join } from "node:path";

/** How patiently a download is tried again. */
export interface RetryPolicy {
  /** Tries after the first, as long as none brings much. */
  readonly retries: number;
  /** Delay before the first retry; each next one is twice as long, times a random 1 to 2. */
  readonly firstDelayMs: number;
  readonly longestDelayMs: number;
  /** A server that asks for a longer wait (Retry-After) is given up. */
  readonly longestRetryAfterMs: number;
  readonly connectTimeoutMs: number;
  /** Longest silence in the middle of an answer. */
  readonly idleTimeoutMs: number;
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
};

/** Reads BERTQA_CACHE, XDG_CACHE_HOME, HF_ENDPOINT, HF_TOKEN; an empty variable counts as unset. */
export function fetchEnvironment(variables: NodeJS.ProcessEnv = process.env): FetchEnvironment {
  return {
    downloadsFolder: join(cacheFolder(variables), "downloads"),
    hubEndpoint: (variables["HF_ENDPOINT"] || "https://huggingface.co").replace(/\/+$/, ""),
    hubToken: variables["HF_TOKEN"]?.trim() || undefined,
    retry: patientRetry,
    variables,
  };
}
