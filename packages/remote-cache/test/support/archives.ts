import { createHash } from "node:crypto";
import { gzipSync } from "node:zlib";
import { pack, type Header } from "tar-stream";

export const sha256 = (content: string | Uint8Array): string => createHash("sha256").update(content).digest("hex");

type Item = Partial<Header> & { readonly name: string; readonly content?: string | Buffer };

/** An archive as Nx makes them: what a task wrote, what it printed, its exit code. */
export async function archiveOf(items: readonly Item[], { code = Buffer.alloc(4) } = {}): Promise<Buffer> {
  const archive = pack();
  const all: Item[] = [...items, { name: "terminalOutput", content: "done\n" }, { name: "code", content: code }];
  for (const { content = "", ...header } of all) archive.entry(header, content);
  archive.finalize();
  const pieces: Buffer[] = [];
  for await (const piece of archive as unknown as AsyncIterable<Buffer>) pieces.push(piece);
  return gzipSync(Buffer.concat(pieces));
}

/** The files of an artifact with their manifest, as the archive of a stage holds them. */
export function artifactItems(files: Readonly<Record<string, string>>, folder = "artifacts/tiny/train"): Item[] {
  const listed = Object.entries(files)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([path, content]) => ({ path, bytes: Buffer.byteLength(content), sha256: sha256(content) }));
  const manifest = {
    kind: "model",
    formatVersion: 2,
    ...{ options: {}, resolved: {}, counts: {}, versions: {}, inputs: {} },
    files: listed,
    contentSha256: sha256(listed.map((file) => `${file.sha256}  ${file.path}\n`).join("")),
  };
  return [
    { name: `${folder}/manifest.json`, content: JSON.stringify(manifest) },
    ...Object.entries(files).map(([path, content]) => ({ name: `${folder}/${path}`, content })),
  ];
}
