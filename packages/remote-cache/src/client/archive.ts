import {
  BertqaError,
  artifactKinds,
  artifactNamePattern,
  manifestName,
  parseManifest,
  type ArtifactKind,
} from "@bertqa/core";
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { createGunzip } from "node:zlib";
import { extract, type Extract, type Header } from "tar-stream";

/** What of an archive's unpacked bytes is at most taken: a small archive can hold a great deal of nothing. */
const mostUnpackedBytes = 32 * 2 ** 30;
const mostEntries = 100_000;
/** Manifests and what a task printed are read whole. */
const mostTextBytes = 64 * 2 ** 20;

/** The folder of the artifact that a file is of, with a slash at its end; undefined where it is of none. */
const artifactOf = (name: string): string | undefined => /^artifacts\/[^/]+\/[^/]+\//.exec(name)?.[0];

/** An archive that Nx could not take, or would take and a stage would refuse. */
export class ArchiveError extends Error {}

type Bytes = AsyncIterable<Buffer>;
type Entry = Extract extends AsyncIterable<infer Item> ? Item : never;

interface FoundFile {
  readonly bytes: number;
  readonly sha256: string;
}

/**
 * Checks an archive of Nx's cache before Nx sees it: whole as gzip and tar, with an exit code and what the task printed, nothing in
 * it but folders and regular files with plain names, and each artifact exactly the files of its manifest, with their sha256.
 * Nx checks none of that; it ends the run over an archive that it cannot read.
 *
 * @throws ArchiveError if it is not so, or the signal came first
 */
export async function checkArchive(
  path: string,
  unpackedBytes = mostUnpackedBytes,
  signal?: AbortSignal,
): Promise<void> {
  const files = new Map<string, FoundFile>();
  const manifests = new Map<string, string>();
  const names = new Set<string>();
  let left = unpackedBytes;
  let hasCode = false;
  const take = async (header: Header, entry: Bytes): Promise<void> => {
    const name = header.name.replace(/\/$/, "");
    if (names.size >= mostEntries) throw new ArchiveError(`it has more than ${mostEntries} entries`);
    if (header.type === "directory" && (name === "" || name === ".")) return drain(entry);
    if (!artifactNamePattern.test(name)) throw new ArchiveError("a name in it leads elsewhere");
    if (names.has(name)) throw new ArchiveError(`${name} is in it twice`);
    names.add(name);
    if (header.type === "directory") return drain(entry);
    if (header.type !== "file") throw new ArchiveError(`${name} is neither a regular file nor a folder`);
    if ((left -= header.size) < 0) throw new ArchiveError(`it unpacks to more than ${unpackedBytes} bytes`);
    const folder = artifactOf(name);
    if (name === "code") {
      const code = await bytesOf(entry, header);
      if (code.length !== 4) throw new ArchiveError("its exit code is not 4 bytes");
      hasCode = true;
    } else if (name === "terminalOutput") {
      utf8Of(await bytesOf(entry, header), name);
    } else if (folder !== undefined && name === folder + manifestName) {
      manifests.set(folder, utf8Of(await bytesOf(entry, header), name));
    } else {
      files.set(name, await describe(entry));
    }
  };
  try {
    for await (const entry of unpack(path, signal)) await take(entry.header, entry as unknown as Bytes);
  } catch (error) {
    throw error instanceof ArchiveError
      ? error
      : new ArchiveError(`it is no whole tar.gz: ${(error as Error).message}`);
  }
  if (!hasCode) throw new ArchiveError("it has no exit code");
  const bare = [...files.keys()].map(artifactOf).find((folder) => folder !== undefined && !manifests.has(folder));
  if (bare !== undefined) throw new ArchiveError(`${bare} has no manifest`);
  for (const [folder, text] of manifests) checkArtifact(folder, text, files);
}

async function* unpack(path: string, signal: AbortSignal | undefined): AsyncGenerator<Entry> {
  // Nx writes two of its headers in the oldest format, which has no mark of its own.
  const archive = extract({ allowUnknownFormat: true } as object);
  const source = createReadStream(path, { highWaterMark: 1 << 18, ...(signal && { signal }) });
  const unzipped = createGunzip();
  source.on("error", (error) => unzipped.destroy(error));
  unzipped.on("error", (error) => archive.destroy(error));
  source.pipe(unzipped).pipe(archive);
  try {
    yield* archive;
  } finally {
    source.destroy();
    unzipped.destroy();
  }
}

/** @param folder with a slash at its end */
function checkArtifact(folder: string, text: string, files: ReadonlyMap<string, FoundFile>): void {
  const kind = kindOf(text);
  if (kind === undefined) throw new ArchiveError(`${folder}${manifestName} is no manifest`);
  let manifest;
  try {
    manifest = parseManifest("cache", text, kind, { remedy: "", where: folder });
  } catch (error) {
    throw error instanceof BertqaError ? new ArchiveError(error.message, { cause: error }) : error;
  }
  const unlisted = new Set([...files.keys()].filter((name) => name.startsWith(folder)));
  for (const { path, bytes, sha256 } of manifest.files) {
    const found = files.get(folder + path);
    if (!found) throw new ArchiveError(`${folder}${path} is missing`);
    if (found.bytes !== bytes || found.sha256 !== sha256) {
      throw new ArchiveError(`${folder}${path} is not what its manifest says`);
    }
    unlisted.delete(folder + path);
  }
  const [first] = unlisted;
  if (first !== undefined) throw new ArchiveError(`${first} is not listed in its artifact's manifest`);
}

function kindOf(text: string): ArtifactKind | undefined {
  try {
    const { kind } = JSON.parse(text) as { kind?: unknown };
    return artifactKinds.find((each) => each === kind);
  } catch {
    return undefined;
  }
}

async function describe(entry: Bytes): Promise<FoundFile> {
  const hash = createHash("sha256");
  let bytes = 0;
  for await (const piece of entry) {
    hash.update(piece);
    bytes += piece.length;
  }
  return { bytes, sha256: hash.digest("hex") };
}

async function bytesOf(entry: Bytes, { name, size }: Header): Promise<Buffer> {
  if (size > mostTextBytes) throw new ArchiveError(`${name} has ${size} bytes, at most ${mostTextBytes} are read`);
  const pieces: Buffer[] = [];
  for await (const piece of entry) pieces.push(piece);
  return Buffer.concat(pieces);
}

function utf8Of(bytes: Buffer, name: string): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw new ArchiveError(`${name} is not UTF-8`);
  }
}

async function drain(entry: Bytes): Promise<void> {
  for await (const _piece of entry);
}
