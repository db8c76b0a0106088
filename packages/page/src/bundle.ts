import { build } from "esbuild";
import { relative, resolve, sep } from "node:path";
import { pageFile, type PageFile } from "./files.ts";

export interface BundleOptions {
  /** Names in the sources, and the JSON that takes their place. */
  readonly define?: Readonly<Record<string, string>>;
  /** Path of each output; default: with a hash. */
  readonly entryNames?: string;
}

/**
 * Bundles scripts, styles and pictures for browsers, each into one file.
 *
 * @param entryPoints files by the name of their output
 * @returns the outputs, by path, in the order of the entry points
 * @throws if one does not compile
 */
export async function bundle(
  entryPoints: Readonly<Record<string, string>>,
  { define = {}, entryNames = "assets/[name]-[hash]" }: BundleOptions = {},
): Promise<Map<string, PageFile>> {
  const { outputFiles } = await build({
    entryPoints: { ...entryPoints },
    entryNames,
    define: { ...define },
    outdir: resolve("/"),
    bundle: true,
    write: false,
    minify: true,
    charset: "utf8",
    format: "esm",
    platform: "browser",
    target: "es2023",
    legalComments: "none",
    loader: { ".svg": "copy" },
    // WebAssembly and its glue stay files of their own, so that its threads can load them.
    conditions: ["onnxruntime-web-use-extern-wasm"],
    logLevel: "silent",
    tsconfigRaw: "{}",
  });
  return new Map(
    outputFiles.map(({ path, contents }) => {
      const name = relative(resolve("/"), path).split(sep).join("/");
      return [name, pageFile(name, contents, entryNames.includes("[hash]"))];
    }),
  );
}
