import { BertqaError, describeIssues, flushFolder, sha256Of } from "@bertqa/core";
import { explainDiskError, takeLock } from "@bertqa/runner";
import { randomBytes, timingSafeEqual } from "node:crypto";
import { lstat, open, readFile, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { z } from "zod";
import { namespacePattern, sharedNamespace } from "../names.ts";

const namespaceSchema = z.string().regex(namespacePattern, "expected small letters, digits and -, 32 at most");

const grantSchema = z.strictObject({
  /** Whose it is; in logs. */
  name: z.string().regex(/^[\w.@-]{1,64}$/, "expected letters, digits, . _ @ or -, 64 at most"),
  /** Tokens are 256 random bits, so a plain sha256 cannot be turned back by guessing. */
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  /** Namespaces to look in, first to last. */
  reads: z.array(namespaceSchema).min(1),
  /** Where what it sends goes; null for a token that reads only. */
  writes: namespaceSchema.nullable(),
});

/** What one token may do. */
export type Grant = z.output<typeof grantSchema>;

const tokenFileSchema = z.strictObject({ version: z.literal(1), tokens: z.array(grantSchema) });

/**
 * What a new token is for: `read` reads the shared namespace; `write` reads and writes it, for trusted branches alone; with a
 * namespace, `write` reads the shared one first and then its own, and writes only its own.
 */
export interface Purpose {
  readonly name: string;
  readonly scope: "read" | "write";
  readonly namespace: string;
}

export function grantFor({ name, scope, namespace }: Purpose, sha256: string): Grant {
  const reads = [...new Set([sharedNamespace, namespace])];
  return { name, sha256, reads, writes: scope === "write" ? namespace : null };
}

/**
 * The grant of a token that was presented. Its hash is compared with every grant's, each in constant time, so that the time tells
 * nothing of which one it is near.
 */
export function grantOf(grants: readonly Grant[], token: string): Grant | undefined {
  const presented = Buffer.from(sha256Of(token), "hex");
  let found: Grant | undefined;
  for (const grant of grants) {
    if (timingSafeEqual(presented, Buffer.from(grant.sha256, "hex"))) found = grant;
  }
  return found;
}

/**
 * Reads a file of tokens.
 *
 * @throws BertqaError if others can read it, or it is no such file
 */
export async function readTokens(path: string): Promise<Grant[]> {
  const found = await lstat(path).catch(() => undefined);
  const problem = (what: string, remedy: string) => new BertqaError("cache-server", what, { remedy, where: path });
  const remedy = `Make a token: npx bertqa cache-server token NAME --scope write --tokens ${path}`;
  if (!found) throw problem("there is no file of tokens", remedy);
  if (!found.isFile()) throw problem("the file of tokens is not a regular file", "Name a file");
  if ((found.mode & 0o077) !== 0) {
    throw problem("others can read or change the file of tokens", `Run chmod 600 ${path}`);
  }
  if (found.size > 1 << 20) throw problem("the file of tokens is larger than 1 MiB", "Name another file");
  let value: unknown;
  try {
    value = JSON.parse(await readFile(path, "utf8"));
  } catch {
    throw problem("the file of tokens is not JSON", remedy);
  }
  const parsed = tokenFileSchema.safeParse(value);
  if (parsed.success) return parsed.data.tokens;
  throw problem(`the file of tokens breaks its schema: ${describeIssues(parsed.error)}`, "Mend it");
}

/**
 * Makes a token and adds its hash to a file, which is made where it is not there.
 *
 * @returns the token, which is kept nowhere
 * @throws BertqaError if the name is taken, or another command writes the file now
 */
export async function addToken(path: string, purpose: Purpose): Promise<string> {
  const token = `bertqa-${randomBytes(32).toString("base64url")}`;
  // Of a grant's keys, "reads" and "writes" would both tell of one namespace.
  const { error } = namespaceSchema.safeParse(purpose.namespace);
  if (error) throw new BertqaError("cache-server", `--namespace: ${describeIssues(error)}`);
  const parsed = grantSchema.safeParse(grantFor(purpose, sha256Of(token)));
  if (!parsed.success) throw new BertqaError("cache-server", describeIssues(parsed.error));
  await alone(path, async () => {
    const grants = await readTokensOrNone(path);
    if (grants.some(({ name }) => name === purpose.name)) {
      const remedy = "Take another name, or remove it first: --remove";
      throw new BertqaError("cache-server", `there is a token named ${purpose.name}`, { remedy, where: path });
    }
    await writeTokens(path, [...grants, parsed.data]);
  });
  return token;
}

/** @throws BertqaError if there is no token of the name, or another command writes the file now */
export async function removeToken(path: string, name: string): Promise<void> {
  await alone(path, async () => {
    const grants = await readTokens(path);
    const left = grants.filter((grant) => grant.name !== name);
    if (left.length === grants.length) {
      const remedy = `There are: ${grants.map((grant) => grant.name).join(", ") || "none"}`;
      throw new BertqaError("cache-server", `there is no token named ${name}`, { remedy, where: path });
    }
    await writeTokens(path, left);
  });
}

/** Of two commands that read, then write, the second to write would undo the first. */
async function alone(path: string, change: () => Promise<void>): Promise<void> {
  try {
    const lock = await takeLock("cache-server token", `${path}.lock`);
    await change().finally(() => lock.release());
  } catch (cause) {
    throw explainDiskError("cache-server", path, cause);
  }
}

async function readTokensOrNone(path: string): Promise<Grant[]> {
  return (await lstat(path).catch(() => undefined)) ? readTokens(path) : [];
}

async function writeTokens(path: string, tokens: readonly Grant[]): Promise<void> {
  const aside = `${path}.${randomBytes(6).toString("hex")}`;
  const file = await open(aside, "wx", 0o600);
  try {
    await file.writeFile(`${JSON.stringify({ version: 1, tokens }, null, 2)}\n`);
    await file.sync();
    await rename(aside, path);
  } catch (error) {
    await rm(aside, { force: true });
    throw error;
  } finally {
    await file.close();
  }
  await flushFolder(dirname(path));
}

/**
 * Reads a file of tokens again whenever it has changed, so that a token is good, or gone, without a new start. While the file
 * cannot be read, what was read last holds.
 */
export async function followTokens(path: string, warn: (problem: string) => void): Promise<() => Promise<Grant[]>> {
  const markOf = async () => {
    const { ino, size, mtimeMs, mode } = await lstat(path);
    return [ino, size, mtimeMs, mode].join(" ");
  };
  let mark = await markOf().catch(() => "");
  let grants = await readTokens(path);
  return async () => {
    const now = await markOf().catch(() => "");
    if (now === mark) return grants;
    mark = now;
    try {
      grants = await readTokens(path);
    } catch (error) {
      warn((error as Error).message);
    }
    return grants;
  };
}
