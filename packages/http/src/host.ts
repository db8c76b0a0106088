import { BertqaError } from "@bertqa/squad";
import { BlockList, isIP } from "node:net";
import { HttpProblem } from "./problems.ts";

const loopback = new BlockList();
loopback.addSubnet("127.0.0.0", 8, "ipv4");
loopback.addAddress("::1", "ipv6");

/** Whether an address or name is this machine's own. A name other than "localhost" may lead anywhere. */
export function isLoopback(host: string): boolean {
  const version = isIP(host);
  if (version === 0) return host.toLowerCase() === "localhost";
  return loopback.check(host, version === 4 ? "ipv4" : "ipv6");
}

/**
 * @returns the address to listen on; "localhost" is 127.0.0.1, since two servers would need two sets of limits
 * @throws BertqaError if others could reach a server that asks for no token, and nobody said that they may
 */
export function listenAddress(host: string, { hasToken, isOpen }: { hasToken: boolean; isOpen: boolean }): string {
  if (isLoopback(host)) return isIP(host) === 0 ? "127.0.0.1" : host;
  if (hasToken || isOpen) return host;
  throw new BertqaError("http", `${host} can be reached by others, and the server asks for no token`, {
    remedy: "Give it a token (--token-file or BERTQA_TOKEN), listen on 127.0.0.1, or let everybody in (--open-to-all)",
  });
}

/**
 * What is compared with the fields Host and Origin must look as these do: anything else would let nobody in.
 *
 * @throws BertqaError for a host name with scheme or port, or an origin with a path
 */
export function checkNames(hosts: readonly string[], origins: readonly string[]): void {
  const host = hosts.find((name) => isIP(name) === 0 && !/^[^:[\]@/\s]+$/.test(name));
  if (host !== undefined) {
    throw new BertqaError("http", `${JSON.stringify(host)} is no host name`, {
      remedy: "Give it without scheme and port, such as qa.example.org",
    });
  }
  const origin = origins.find((each) => !isOrigin(each));
  if (origin !== undefined) {
    throw new BertqaError("http", `${JSON.stringify(origin)} is no origin as browsers send it`, {
      remedy: "Give scheme and host, in small letters and without a slash at the end, such as https://qa.example.org",
    });
  }
}

function isOrigin(text: string): boolean {
  if (text === "*" || text === "null") return true;
  if (!URL.canParse(text)) return false;
  const { origin } = new URL(text);
  // URL knows no origin of an app's own scheme, such as tauri://localhost.
  return origin === "null" ? /^[^/]+:\/\/[^/]+$/.test(text) : origin === text;
}

/**
 * @returns a check of the Host fields, of which there must be one (RFC 9112, section 3.2). A page elsewhere may point a name of its
 *   own at 127.0.0.1 (DNS rebinding); a server for this machine alone answers to this machine's names alone.
 */
export function hostCheck(allowed: readonly string[], host: string): (fields: readonly string[] | undefined) => void {
  const names = new Set(allowed.map((name) => name.toLowerCase()));
  const isOpen = names.size === 0 && !isLoopback(host);
  return ([field, ...others] = []) => {
    if (others.length > 0) throw new HttpProblem(400, "host", "The request has several Host fields.");
    if (field === undefined || field === "") throw new HttpProblem(400, "host", "The request names no host.");
    const name = /^(?:\[([0-9a-f:.]+)\]|([^:[\]@/\s]+))(?::\d+)?$/i.exec(field);
    if (!name) throw new HttpProblem(400, "host", "The Host field is not a host.");
    const asked = (name[1] ?? name[2]!).toLowerCase();
    if (isOpen || names.has(asked) || isLoopback(asked)) return;
    throw new HttpProblem(421, "host", "This server does not answer to that host name.");
  };
}
