import { BertqaError } from "@bertqa/squad";
import type { FastifyRequest } from "fastify";
import { createHash, timingSafeEqual } from "node:crypto";
import { HttpProblem } from "./problems.ts";

/** A bearer token and what it opens. The token itself is nowhere, its hash is. */
export interface HttpToken {
  /** sha256 of the token's bytes, 64 hexadecimal digits. */
  readonly sha256: string;
  readonly scopes: readonly string[];
}

/** Shortest token that is taken, in characters: 128 bits in base64url. */
const shortestToken = 22;

/**
 * @returns the sha256 of a token, as {@link HttpToken} wants it
 * @throws BertqaError if the token is short enough to be guessed, or cannot stand in a header field
 */
export function hashToken(token: string): string {
  const remedy = 'Make one: node -p \'require("crypto").randomBytes(32).toString("base64url")\'';
  if (!/^[\w.~+/-]+=*$/.test(token)) {
    throw new BertqaError("http", "the token has characters that no bearer token may have", { remedy });
  }
  if (token.length < shortestToken) {
    throw new BertqaError("http", `the token has ${token.length} characters, expected ${shortestToken} at least`, {
      remedy,
    });
  }
  return createHash("sha256").update(token).digest("hex");
}

/** The token that a request bears, if any (RFC 6750). */
export function bearerToken({ headers }: FastifyRequest): string | undefined {
  return /^bearer +(\S+)$/i.exec(headers.authorization ?? "")?.[1];
}

/** @returns a check that throws 401 or 403, in a time that says nothing about the tokens */
export function tokenCheck(tokens: readonly HttpToken[]): (request: FastifyRequest, scope: string) => void {
  const known = tokens.map(({ sha256, scopes }) => {
    if (!/^[0-9a-f]{64}$/.test(sha256)) throw new BertqaError("http", "a token's hash is no sha256 in hexadecimal");
    return { digest: Buffer.from(sha256, "hex"), scopes };
  });
  return (request, scope) => {
    if (known.length === 0) return;
    const given = bearerToken(request);
    if (given === undefined) throw unauthorized("Give a token: Authorization: Bearer …", "");
    const digest = createHash("sha256").update(given).digest();
    const scopes = new Set<string>();
    for (const token of known) {
      if (timingSafeEqual(digest, token.digest)) token.scopes.forEach((each) => scopes.add(each));
    }
    if (scopes.size === 0) throw unauthorized("The token is not one of this server's.", ', error="invalid_token"');
    if (scopes.has(scope)) return;
    throw new HttpProblem(403, "scope", `The token does not open the scope "${scope}".`, {
      headers: { "www-authenticate": `Bearer realm="bertqa", error="insufficient_scope", scope="${scope}"` },
    });
  };
}

function unauthorized(detail: string, error: string): HttpProblem {
  return new HttpProblem(401, "unauthorized", detail, {
    headers: { "www-authenticate": `Bearer realm="bertqa"${error}` },
  });
}
