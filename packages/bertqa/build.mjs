// Builds dist/: JavaScript by esbuild, declarations by rollup-plugin-dts. The pure packages are bundled, what npm installs is not.
import { build } from "esbuild";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { rollup } from "rollup";
import { dts } from "rollup-plugin-dts";

const folder = import.meta.dirname;
const { dependencies, optionalDependencies } = JSON.parse(await readFile(`${folder}/package.json`, "utf8"));
// What only the workspace has: the training commands, and the compiler of the page, which is built below.
const workspaceOnly = ["@bertqa/cli", "@bertqa/page/build"];
const external = [...Object.keys({ ...dependencies, ...optionalDependencies }), ...workspaceOnly];
const shared = { bundle: true, format: "esm", target: "es2023", absWorkingDir: folder, outdir: "dist", external };

await rm(`${folder}/dist`, { recursive: true, force: true });
await build({
  ...shared,
  entryPoints: {
    node: "src/node.ts",
    cli: "src/cli/main.ts",
    "engine-worker": "src/serve/engine-worker.ts",
    "session-worker": "src/serve/session-worker.ts",
  },
  platform: "node",
  splitting: true,
});
await build({ ...shared, entryPoints: ["src/browser.ts"], platform: "browser" });
const declarations = await rollup({
  input: { node: `${folder}/src/node.ts`, browser: `${folder}/src/browser.ts` },
  external,
  plugins: [
    dts({ tsconfig: `${folder}/../../tsconfig.base.json`, includeExternal: ["@bertqa/answers", "@bertqa/squad"] }),
  ],
});
await declarations.write({ dir: `${folder}/dist`, format: "esm" });

process.env.TSX_DISABLE_CACHE = "1"; // its cache is a folder in the temporary one that others may have made
const { tsImport } = await import("tsx/esm/api");
const { buildServedPage } = await tsImport("@bertqa/page", import.meta.url);
for (const [path, { bytes }] of await buildServedPage()) {
  await mkdir(dirname(`${folder}/dist/page/${path}`), { recursive: true });
  await writeFile(`${folder}/dist/page/${path}`, bytes);
}
