import { BertqaError } from "@bertqa/core";
import { isLoopback } from "@bertqa/http/host";
import { createReadStream } from "node:fs";
import { Agent, EnvHttpProxyAgent, request, type Dispatcher } from "undici";
import { digestHeader, sha256OfHeader } from "../names.ts";
import { defaultPace, pacer, TooSlowError, type Pace } from "../pace.ts";
import { BodyLengthError, spool, type ScratchFile } from "../scratch.ts";

/** How long the cache's server may take before a run goes on without it. */
export interface Patience extends Pace {
  readonly connectMs: number;
  /** To the first of the answer where the server has little to do; longest silence in the middle of one. */
  readonly silenceMs: number;
  /**
   * To the first of an entry, which the server reads whole before that, out of a bucket too; and from an entry's last byte to the
   * answer, after it was stored as safely.
   */
  readonly entryMs: number;
  /** Longest entry, in bytes, packed. */
  readonly mostBytes: number;
}

export const defaultPatience: Patience = {
  connectMs: 5_000,
  silenceMs: 15_000,
  entryMs: 600_000,
  ...defaultPace,
  mostBytes: 16 * 2 ** 30,
};

/** Names the cache's server to Nx and to us. */
export const serverVariable = "NX_SELF_HOSTED_REMOTE_CACHE_SERVER";

/** Where the cache is, and with what to speak to it. */
export interface CacheAddress {
  readonly url: string;
  readonly token: string | undefined;
}

/** The server cannot be used, for this request and very likely for the next. */
export class UnusableServerError extends Error {}
/** One entry cannot be used; others may well be. */
class UnusableEntryError extends Error {}

/** The cache's server, as far as our side of the protocol goes. */
export interface Upstream {
  /** @returns undefined where the server has no such entry; @throws UnusableServerError, UnusableEntryError */
  get(hash: string, signal: AbortSignal): Promise<ScratchFile | undefined>;
  /** @returns "refused" where the token may not write; @throws UnusableServerError, UnusableEntryError */
  put(hash: string, file: ScratchFile, signal: AbortSignal): Promise<"stored" | "exists" | "refused">;
  close(): Promise<void>;
}

/**
 * Speaks to a server of Nx's cache protocol, ours or another. Goes through the proxies of the environment, except to loopback, and
 * trusts the authorities of NODE_EXTRA_CA_CERTS, neither of which Nx's own client does. Follows no redirect: a token is for one host.
 *
 * @throws BertqaError if the address or token cannot be used; the message shows no secret
 */
export function openUpstream(address: CacheAddress, scratchFolder: string, patience = defaultPatience): Upstream {
  const { base, isNear } = checkedBase(address);
  const limits = {
    connect: { timeout: patience.connectMs },
    headersTimeout: patience.silenceMs,
    bodyTimeout: patience.silenceMs,
  };
  // A proxy elsewhere could not reach this machine's loopback; the token alone would get there.
  const dispatcher = isNear ? new Agent(limits) : new EnvHttpProxyAgent(limits);
  const authorization = address.token === undefined ? {} : { authorization: `Bearer ${address.token}` };
  const call = async (method: "GET" | "HEAD" | "PUT", hash: string, more: Partial<Dispatcher.RequestOptions> = {}) => {
    const headers = { accept: "application/octet-stream", ...authorization, ...(more.headers as object) };
    try {
      return await request(`${base}/v1/cache/${hash}`, { ...more, method, dispatcher, headers });
    } catch (error) {
      throw new UnusableServerError(describeFailure(error), { cause: error });
    }
  };

  return {
    get: async (hash, signal) => {
      // A server that says nothing at all is not waited for as long as an entry: whatever it answers to this, it is there.
      const look = await call("HEAD", hash, { signal });
      await look.body.dump();
      const aborter = new AbortController();
      const whileWanted = AbortSignal.any([aborter.signal, signal]);
      const answer = await call("GET", hash, { signal: whileWanted, headersTimeout: patience.entryMs });
      answer.body.on("error", () => {}); // a body that is given up tells nobody
      if (answer.statusCode !== 200) {
        aborter.abort();
        if (answer.statusCode === 404) return undefined;
        throw unusable(answer.statusCode);
      }
      const bytes = Number(answer.headers["content-length"] ?? NaN);
      try {
        if (!Number.isSafeInteger(bytes)) throw new UnusableEntryError("the server did not say how long it is");
        if (bytes > patience.mostBytes) throw new UnusableEntryError(`it has ${bytes} bytes`);
        const paced = pacer(patience, (error) => answer.body.destroy(error));
        answer.body.on("error", (error) => paced.destroy(error));
        const file = await spool(answer.body.pipe(paced), scratchFolder, bytes);
        const promised = sha256OfHeader(headerOf(answer.headers["repr-digest"]));
        if (promised === undefined || promised === file.sha256) return file;
        await file.remove();
        throw new UnusableEntryError("its bytes are not those that the server meant to send");
      } catch (error) {
        aborter.abort();
        throw asUnusable(error);
      }
    },

    put: async (hash, file, signal) => {
      const look = await call("HEAD", hash, { signal });
      await look.body.dump();
      if (look.statusCode === 200) return "exists";
      // Our server says what the token may do, which saves sending in vain; others answer HEAD as they like.
      const allowed = headerOf(look.headers["allow"]);
      if (look.statusCode === 404 && allowed !== undefined && !/\bPUT\b/.test(allowed)) return "refused";
      const source = createReadStream(file.path, { highWaterMark: 1 << 18 });
      const body = source.pipe(pacer(patience, (error) => body.destroy(error)));
      source.on("error", (error) => body.destroy(error));
      const headers = {
        "content-type": "application/octet-stream",
        "content-length": String(file.bytes),
        "repr-digest": digestHeader(file.sha256),
      };
      try {
        const answer = await call("PUT", hash, { body, headers, signal, headersTimeout: patience.entryMs });
        await answer.body.dump();
        if (answer.statusCode >= 200 && answer.statusCode < 300) return "stored";
        if (answer.statusCode === 409) return "exists";
        if (answer.statusCode === 403) return "refused";
        if (answer.statusCode === 413)
          throw new UnusableEntryError(`it has ${file.bytes} bytes, more than the server takes`);
        throw unusable(answer.statusCode);
      } finally {
        source.destroy();
      }
    },

    close: () => dispatcher.destroy(),
  };
}

function unusable(status: number): UnusableServerError {
  if (status === 401) return new UnusableServerError("it does not know the token (401)");
  if (status === 403) return new UnusableServerError("it lets the token read nothing (403)");
  if (status >= 300 && status < 400) return new UnusableServerError(`it sends elsewhere (${status})`);
  return new UnusableServerError(`it answered ${status}`);
}

function asUnusable(error: unknown): Error {
  if (error instanceof UnusableServerError || error instanceof UnusableEntryError) return error;
  if (error instanceof TooSlowError) return new UnusableServerError(error.message);
  if (error instanceof BodyLengthError) return new UnusableEntryError(error.message);
  const { code } = error as NodeJS.ErrnoException;
  // A full disk here is no fault of the server's; the run goes on, and will tell of the disk itself.
  if (code === "ENOSPC" || code === "EDQUOT") return new UnusableEntryError("there is no room for it on this disk");
  if (code === "UND_ERR_BODY_TIMEOUT") return new UnusableServerError("it went silent in the middle of an answer");
  return new UnusableEntryError(`its body broke off: ${describeFailure(error)}`);
}

/** Node's and undici's own words and codes: they hold the host at most, no header field. */
function describeFailure(error: unknown): string {
  const { code, message, cause } = error as NodeJS.ErrnoException & { cause?: unknown };
  if (code === "UND_ERR_HEADERS_TIMEOUT") return "it did not answer in time";
  if (code === "UND_ERR_CONNECT_TIMEOUT") return "it could not be reached in time";
  if (error instanceof TooSlowError) return error.message;
  if (cause instanceof Error && code === undefined) return describeFailure(cause);
  return code ?? message;
}

function headerOf(value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value.join(", ") : value;
}

function checkedBase({ url, token }: CacheAddress): { readonly base: string; readonly isNear: boolean } {
  const problem = (what: string, remedy: string) => new BertqaError("cache", what, { remedy });
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (!parsed || !/^https?:$/.test(parsed.protocol) || parsed.username || parsed.password || parsed.search) {
    throw problem(
      `${serverVariable} is no plain http or https address`,
      "Give https://host, without user, password or query",
    );
  }
  if (token !== undefined && !/^[\x21-\x7e]+$/.test(token)) {
    throw problem("the token has characters that no token may have", "Copy it anew");
  }
  const isNear = isLoopback(parsed.hostname.replace(/^\[|\]$/g, ""));
  if (parsed.protocol === "http:" && !isNear && token !== undefined) {
    const remedy = "Use https, or a tunnel: ssh -N -L 8787:127.0.0.1:8787 HOST, then http://127.0.0.1:8787";
    throw problem(`${serverVariable} is http, and the token would travel in the clear`, remedy);
  }
  return { base: `${parsed.origin}${parsed.pathname.replace(/\/+$/, "")}`, isNear };
}
