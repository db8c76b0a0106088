/**
 * Hashes that Nx gives to tasks (decimal digits), and lower-case hex, which custom hashers give. Nothing else can become a file's
 * name or an object's key.
 */
export const hashPattern = /^[0-9a-f]{1,64}$/;

/** Namespaces of a cache: `shared`, which everybody reads, and those of writers who are not trusted. */
export const namespacePattern = /^[a-z0-9][a-z0-9-]{0,31}$/;
export const sharedNamespace = "shared";

/** Where an entry lies in a store. */
export interface EntryKey {
  readonly namespace: string;
  readonly hash: string;
}

export const nameOf = ({ namespace, hash }: EntryKey): string => `${namespace}/${hash}`;

/** The value of a `Repr-Digest` header for a sha256 in hex. https://www.rfc-editor.org/rfc/rfc9530 */
export function digestHeader(sha256: string): string {
  return `sha-256=:${Buffer.from(sha256, "hex").toString("base64")}:`;
}

/** The sha256 in hex that a `Repr-Digest` header names; undefined where it names none, null where it cannot be read. */
export function sha256OfHeader(header: string | undefined): string | undefined | null {
  const member = header?.split(",").find((part) => part.trim().startsWith("sha-256="));
  if (member === undefined) return undefined;
  const base64 = /^\s*sha-256=:([A-Za-z0-9+/]{43}=):\s*$/.exec(member)?.[1];
  return base64 === undefined ? null : Buffer.from(base64, "base64").toString("hex");
}
