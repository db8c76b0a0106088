/** Where a file or folder may come from. `bad` says what is wrong with an address. */
export type Source =
  | { readonly kind: "local"; readonly path: string }
  | { readonly kind: "http"; readonly url: string }
  /** A Hugging Face repository (`datasets/owner/name` for a dataset) at a commit; `path` is "" for its root. */
  | { readonly kind: "hub"; readonly repository: string; readonly revision: string; readonly path: string }
  /** A file or folder inside a wheel; `path` is "" for its root. */
  | { readonly kind: "pypi"; readonly name: string; readonly version: string; readonly path: string }
  | { readonly kind: "bad"; readonly problem: string };

const hubPattern = /^hub:((?:datasets\/)?[\w.-]+(?:\/[\w.-]+)?)@([^/]+)(?:\/(.*))?$/;
const pypiPattern = /^pypi:([A-Za-z0-9](?:[\w.-]*[A-Za-z0-9])?)==([A-Za-z0-9][\w.!+]*)(?:\/(.*))?$/;

/** Reads an address. Whatever has no known scheme is a local path. */
export function parseSource(text: string): Source {
  if (text === "") return bad(text, "a path or an address");
  if (text.startsWith("hub:")) return parseHub(text);
  if (text.startsWith("pypi:")) return parsePypi(text);
  if (/^https?:/i.test(text)) return parseHttp(text);
  const scheme = /^([a-z][\w+.-]+):/i.exec(text)?.[1];
  if (scheme) return bad(text, "https:, hub:, pypi: or a local path");
  return { kind: "local", path: text };
}

/** Whether an address is on this machine: plain http and a token over it are let through there only. */
export function isLoopback(url: URL): boolean {
  return url.hostname === "localhost" || url.hostname === "[::1]" || /^127(\.\d+){3}$/.test(url.hostname);
}

function parseHub(text: string): Source {
  const [, repository, revision, path = ""] = hubPattern.exec(text) ?? [];
  if (!repository || !revision) return bad(text, "hub:owner/name@revision");
  // A branch or tag moves: the same fetch.json would give another model next year.
  if (!/^[0-9a-f]{40}$/.test(revision)) return bad(text, "a revision of 40 hex digits (the commit's full id)");
  return { kind: "hub", repository, revision, path: withoutEndSlash(path) };
}

function parsePypi(text: string): Source {
  const [, name, version, path = ""] = pypiPattern.exec(text) ?? [];
  if (!name || !version) return bad(text, "pypi:name==version/path/in/wheel");
  return { kind: "pypi", name, version, path: withoutEndSlash(path) };
}

function parseHttp(text: string): Source {
  if (!URL.canParse(text)) return bad(text, "a whole URL");
  const url = new URL(text);
  // Addresses go into messages, manifests and reports; what stands here may be somebody's key.
  if (url.username || url.password || url.search || url.hash) {
    const shown = `${url.protocol}//${url.username ? "…@" : ""}${url.host}${url.pathname}${url.search ? "?…" : ""}`;
    return bad(shown, "a URL without user name, password, query and fragment; download such a file yourself");
  }
  if (url.protocol === "http:" && !isLoopback(url)) return bad(text, "https (plain http only on this machine)");
  return { kind: "http", url: text };
}

function bad(text: string, expected: string): Source {
  return { kind: "bad", problem: `got ${JSON.stringify(text)}, expected ${expected}` };
}

function withoutEndSlash(path: string): string {
  return path.replace(/\/+$/, "");
}
