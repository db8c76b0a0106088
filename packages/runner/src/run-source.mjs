// Runs the workspace's TypeScript: a program and everything of ours that it imports is compiled into one script, which is kept beside
// the sources' dependencies by their hash. A loader that compiles file by file takes longer to start than most stages to run.
import { createHash, randomUUID } from "node:crypto";
import {
  closeSync,
  constants,
  existsSync,
  fstatSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import Module, { createRequire } from "node:module";
import { basename, dirname, join, sep } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

/** Scripts that stay in a folder: those of the branches and copies that one works on. */
const mostKept = 16;

/**
 * Loads a TypeScript module of a package (`packages/<name>/src/…`), which must not await at its top.
 *
 * @param {URL} url
 * @returns its exports
 */
export async function runSource(url) {
  const entry = fileURLToPath(url);
  const folder = entry.slice(0, entry.lastIndexOf(`${sep}src${sep}`));
  const hash = hashOfSources(entry, dirname(folder));
  // In the package's folder, from where Node finds the package's dependencies.
  const kept = join(folder, "node_modules", ".cache", "bertqa", `${basename(entry, ".ts")}-${hash}.cjs`);
  const owner = statSync(entry).uid;
  let script = readKept(kept, owner);
  if (script === undefined) {
    const compiled = await compile(entry, kept);
    // A source that was saved in between would be kept under the hash of what it had been, and run once that comes back.
    const isSame = hashOfSources(entry, dirname(folder)) === hash;
    script = isSame ? keep(kept, owner, compiled) : headOf(compiled) + compiled;
  }
  process.setSourceMapsEnabled(true);
  const module = new Module(kept);
  module.filename = kept;
  module.paths = Module._nodeModulePaths(dirname(kept));
  module._compile(script, kept);
  return module.exports;
}

/** Of all sources, of where they lie, and of the installed packages, of which the compiler is one. */
function hashOfSources(entry, packages) {
  const hash = createHash("sha256").update(entry);
  const add = (path) => {
    const content = readFileSync(path);
    hash.update(`\n${path} ${content.length}\n`).update(content);
  };
  const visit = (folder) => {
    for (const item of readdirSync(folder, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1))) {
      const path = join(folder, item.name);
      if (item.isDirectory()) visit(path);
      else if (/\.m?ts$|\.mjs$/.test(item.name)) add(path);
    }
  };
  for (const name of readdirSync(packages).sort()) {
    if (!lstatSync(join(packages, name, "package.json"), { throwIfNoEntry: false })) continue;
    add(join(packages, name, "package.json"));
    visit(join(packages, name, "src"));
  }
  const installed = join(dirname(packages), "node_modules", ".package-lock.json");
  if (statSync(installed, { throwIfNoEntry: false })) add(installed);
  return hash.digest("hex").slice(0, 32);
}

/** What was kept, whole; never what another user may have put there: code is run from it. */
function readKept(path, owner) {
  let file;
  try {
    if (!isOurs(lstatSync(dirname(path)), owner)) return undefined;
    file = openSync(path, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0));
  } catch {
    return undefined;
  }
  try {
    const found = fstatSync(file);
    if (!found.isFile() || !isOurs(found, owner)) return undefined;
    const script = readFileSync(file, "utf8");
    return script.startsWith(headOf(script.slice(script.indexOf("\n") + 1))) ? script : undefined;
  } finally {
    closeSync(file);
  }
}

/** Whether it is of this user, the administrator, or whose sources we run, and others may not write it. */
function isOurs(found, owner) {
  const users = [process.getuid?.() ?? found.uid, 0, owner];
  return !found.isSymbolicLink() && users.includes(found.uid) && (found.mode & 0o022) === 0;
}

/** A power cut may leave a file of the right name that is not whole. */
function headOf(script) {
  return `// sha256 ${createHash("sha256").update(script).digest("hex")}\n`;
}

/** Keeps a script where that can be done. The oldest go, also one that runs: it was read at its start. */
function keep(path, owner, script) {
  const whole = headOf(script) + script;
  const partial = `${path}.${randomUUID()}.partial`;
  const folder = dirname(path);
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    if (!isOurs(lstatSync(folder), owner)) return whole;
    writeFileSync(partial, whole, { flag: "wx", mode: 0o600 });
    renameSync(partial, path);
    const kept = readdirSync(folder).map((name) => join(folder, name));
    const ages = new Map(kept.map((each) => [each, lstatSync(each).mtimeMs]));
    const oldest = kept.sort((a, b) => ages.get(b) - ages.get(a)).slice(mostKept);
    for (const each of oldest) rmSync(each, { force: true });
  } catch {
    if (existsSync(partial)) rmSync(partial); // a checkout of somebody else, a full disk: it is compiled again
  }
  return whole;
}

async function compile(entry, outfile) {
  const { build } = await import("esbuild");
  const { outputFiles } = await build({
    ...{ entryPoints: [entry], outfile, write: false, bundle: true, plugins: [ourSources] },
    ...{ platform: "node", format: "cjs", target: "node20", tsconfigRaw: "{}", logLevel: "silent" },
    ...{ sourcemap: "inline", sourcesContent: false },
  });
  return withDefaultExports(outputFiles[0].text);
}

/**
 * esbuild takes what `require` returns for the default export, as Node does where a module imports a CommonJS one. Of an ES
 * module `require` returns the namespace, which holds the default export.
 */
function withDefaultExports(script) {
  const isCommonJs = "isNodeMode || !mod || !mod.__esModule";
  const isModule = 'require("node:util").types.isModuleNamespaceObject(mod) && mod.__esModule';
  if (!script.includes("isNodeMode")) return script; // imports nothing of npm's
  if (!script.includes(isCommonJs)) throw new Error("run-source: this esbuild imports CommonJS modules in another way");
  return script.replace(isCommonJs, `!(${isModule}) && (${isCommonJs})`);
}

const ourSources = {
  name: "our sources",
  setup(build) {
    // npm's packages stay outside, each the one that its importer would get; an import() is left to Node as it is.
    build.onResolve({ filter: /^[^./]/ }, ({ path, kind, importer }) => {
      if (kind === "entry-point" || path.startsWith("@bertqa/")) return undefined;
      if (kind !== "import-statement" || path.startsWith("node:")) return { path, external: true };
      return { path: createRequire(importer).resolve(path), external: true };
    });
    // A module must still find what lies beside it.
    build.onLoad({ filter: /\.ts$/ }, ({ path }) => {
      const text = readFileSync(path, "utf8");
      if (!text.includes("import.meta")) return undefined;
      const url = JSON.stringify(pathToFileURL(path).href);
      const resolve = `(name) => require("node:url").pathToFileURL(require("node:module").createRequire(${url}).resolve(name)).href`;
      const meta = `{ url: ${url}, dirname: ${JSON.stringify(dirname(path))}, resolve: ${resolve} }`;
      return { loader: "ts", contents: `const importMeta = ${meta}; ${text.replaceAll("import.meta", "importMeta")}` };
    });
  },
};
