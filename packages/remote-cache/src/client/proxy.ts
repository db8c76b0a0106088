import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import { createReadStream, existsSync } from "node:fs";
import { rm } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { removalOnServer } from "@bertqa/runner";
import { hashPattern } from "../names.ts";
import { makeScratchFolder, spool, type ScratchFile } from "../scratch.ts";
import { ArchiveError, checkArchive } from "./archive.ts";
import {
  defaultPatience,
  openUpstream,
  UnusableServerError,
  type CacheAddress,
  type Patience,
  type Upstream,
} from "./upstream.ts";

/** What came of the cache in a run. */
interface CacheTally {
  taken: number;
  missed: number;
  stored: number;
  /** Entries that could not be used or sent. */
  failed: number;
}

export interface CacheProxyOptions {
  readonly address: CacheAddress;
  /** Told once, of the first thing that went wrong. */
  readonly warn: (text: string) => void;
  /** Hashes whose entries were found damaged after they had been taken: they are not taken again. */
  readonly droppedFolder?: string | undefined;
  readonly patience?: Patience;
  /** How long results may still be sent after the run's end. */
  readonly finishMs?: number;
}

/** A server of Nx's cache protocol on loopback that never fails a run. */
export interface CacheProxy {
  readonly url: string;
  /** For this run alone: the real one stays here. */
  readonly token: string;
  readonly tally: Readonly<CacheTally>;
  /** How many results wait to be sent. */
  pending(): number;
  /** Sends what is left, within limits, and ends. */
  finish(): Promise<void>;
  /** Sends no more, and takes no more. */
  abandon(): void;
}

/**
 * Stands between Nx and a cache's server, because Nx's client ends the run on any status that it does not expect and waits for
 * ever on a server that says nothing. What Nx sees here is an entry that was received whole and checked, or 404; what it sends
 * is taken at once and passed on behind the run's back. After a failure that is the server's, it is not asked again in this run.
 */
export async function startCacheProxy(options: CacheProxyOptions): Promise<CacheProxy> {
  const { address, droppedFolder, patience = defaultPatience, finishMs = 600_000 } = options;
  const scratchFolder = await makeScratchFolder("nx", "bertqa-nx-cache-");
  const token = randomBytes(32).toString("base64url");
  const tally: CacheTally = { taken: 0, missed: 0, stored: 0, failed: 0 };
  const aborter = new AbortController();
  let isGivenUp = false;
  let mayWrite = true;
  let uploads: Promise<void> = Promise.resolve();
  let pending = 0;

  let hasWarned = false;
  const warnOnce = (text: string) => {
    // Some of it was said by the server: nothing that a terminal would act on.
    if (!hasWarned) options.warn(text.replaceAll(/\p{Cc}/gu, "?"));
    hasWarned = true;
  };
  const fail = (what: string, error: unknown, remedy = "") => {
    tally.failed += 1;
    const { message } = error as Error;
    if (error instanceof UnusableServerError) {
      isGivenUp = true;
      warnOnce(`the cache's server cannot be used: ${message}. The run goes on without it`);
    } else {
      warnOnce(`${what}: ${message}. The run goes on, and makes it here${remedy}`);
    }
  };
  let upstream: Upstream | undefined;
  try {
    upstream = openUpstream(address, scratchFolder, patience);
  } catch (error) {
    isGivenUp = true;
    warnOnce(`${(error as Error).message} The run goes on without the cache`);
  }

  const receive = async (hash: string, signal: AbortSignal): Promise<ScratchFile | undefined> => {
    if (isGivenUp || signal.aborted || !upstream) return undefined;
    if (droppedFolder !== undefined && existsSync(join(droppedFolder, hash))) return undefined;
    let file: ScratchFile | undefined;
    try {
      file = await upstream.get(hash, signal);
      if (file) await checkArchive(file.path, undefined, signal);
      return file;
    } catch (error) {
      await file?.remove();
      if (signal.aborted) return undefined; // nobody waits for it
      // Stored so: the server has kept its bytes, and no client may replace them, one that is right no more than one that is not.
      const remedy = error instanceof ArchiveError ? `. ${removalOnServer(hash)}` : "";
      fail(`the cache's entry ${hash} cannot be used`, error, remedy);
      return undefined;
    }
  };
  const send = async (hash: string, file: ScratchFile): Promise<void> => {
    try {
      if (isGivenUp || aborter.signal.aborted || !mayWrite || !upstream) return;
      await checkArchive(file.path, undefined, aborter.signal);
      const result = await upstream.put(hash, file, aborter.signal);
      if (result === "stored") tally.stored += 1;
      if (result === "refused") mayWrite = false;
    } catch (error) {
      if (!aborter.signal.aborted) fail(`the result ${hash} was not sent`, error);
    } finally {
      pending -= 1;
      await file.remove();
    }
  };

  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const hash = /^\/v1\/cache\/([^/?#]+)$/.exec(request.url ?? "")?.[1] ?? "";
    // Another user of the machine may find the port: the entries are not theirs to read or write.
    if (!isBearerOf(token, request.headers.authorization)) return void response.writeHead(401).end();
    if (!hashPattern.test(hash)) return void response.writeHead(404).end();
    if (request.method === "GET") {
      const gone = new AbortController();
      response.once("close", () => gone.abort());
      const file = await receive(hash, AbortSignal.any([aborter.signal, gone.signal]));
      if (!file) {
        tally.missed += 1;
        return void response.writeHead(404).end();
      }
      tally.taken += 1;
      response.writeHead(200, { "content-type": "application/octet-stream", "content-length": file.bytes });
      await pipeline(createReadStream(file.path, { highWaterMark: 1 << 18 }), response).finally(() => file.remove());
    } else if (request.method === "PUT") {
      if (isGivenUp || !mayWrite) {
        request.resume();
        return void request.once("end", () => response.writeHead(200).end());
      }
      const file = await spool(request, scratchFolder, Number(request.headers["content-length"] ?? 0));
      response.writeHead(200).end();
      pending += 1;
      uploads = uploads.then(() => send(hash, file));
    } else {
      response.writeHead(405).end();
    }
  };
  const beingAnswered = new Set<Promise<void>>();
  const server = createServer((request, response) => {
    const answered = handle(request, response).catch((error: unknown) => {
      // Nx takes 409 on PUT for "there already": the result stays here.
      if (!response.headersSent) response.writeHead(request.method === "PUT" ? 409 : 404).end();
      else response.destroy();
      if (!aborter.signal.aborted) fail("a result could not be passed on", error);
    });
    beingAnswered.add(answered);
    void answered.then(() => beingAnswered.delete(answered));
  });
  server.requestTimeout = 0; // a large result may take its time, and comes from this machine
  await new Promise<void>((resolve, reject) => server.once("error", reject).listen(0, "127.0.0.1", resolve));

  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    token,
    tally,
    pending: () => pending,
    abandon: () => aborter.abort(),
    finish: async () => {
      const timer = setTimeout(() => {
        warnOnce(`results were not sent within ${finishMs / 1000} s`);
        aborter.abort();
        server.closeAllConnections();
      }, finishMs);
      // The client has the last byte before the answer counts as finished here.
      await Promise.all(beingAnswered);
      await uploads;
      clearTimeout(timer);
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await upstream?.close();
      await rm(scratchFolder, { recursive: true, force: true });
    },
  };
}

function isBearerOf(token: string, header: string | undefined): boolean {
  const digest = (text: string) => createHash("sha256").update(text).digest();
  return timingSafeEqual(digest(header ?? ""), digest(`Bearer ${token}`));
}
