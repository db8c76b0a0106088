import { existsSync, readdirSync, readFileSync } from "node:fs";
import { builtinModules } from "node:module";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import {
  decidesNoBytes,
  dependenciesOf,
  mayImport,
  packageFolders,
  packagesFolder,
  workspaceDependenciesOf,
} from "./boundaries.ts";

/** Module names in `import … from "x"`, `export … from "x"`, `import "x"` and `import("x")`. */
function importsOf(source: string): string[] {
  const pattern = /(?<!")(?:\bfrom\s*|\bimport\s*\(?\s*)"([^"]+)"/g;
  return [...source.matchAll(pattern)].map((match) => match[1] as string);
}

/** `@scope/name/deep` → `@scope/name`, `name/deep` → `name`. */
function packageOf(specifier: string): string {
  const parts = specifier.split("/");
  return parts.slice(0, specifier.startsWith("@") ? 2 : 1).join("/");
}

/** Sources and bins of a package with their imports. */
function sourcesOf(folder: string): { file: string; imports: string[] }[] {
  return ["src", "bin"].flatMap((part) => {
    const root = join(packagesFolder, folder, part);
    if (!existsSync(root)) return [];
    return readdirSync(root, { recursive: true, encoding: "utf8" })
      .filter((file) => /\.m?[jt]s$/.test(file))
      .map((file) => ({ file: `${part}/${file}`, imports: importsOf(readFileSync(join(root, file), "utf8")) }));
  });
}

const isNode = (name: string) => name.startsWith("node:") || builtinModules.includes(packageOf(name));

describe.each(packageFolders())("packages/%s", (folder) => {
  const all = sourcesOf(folder).flatMap(({ file, imports }) => imports.map((name) => ({ file, name })));
  const show = ({ file, name }: { file: string; name: string }) => `${file} imports ${name}`;

  test("imports only the packages below it, and those by their names", () => {
    const allowed = mayImport[folder]?.map((name) => `@bertqa/${name}`) ?? [];
    const ours = all.filter(({ name }) => name.startsWith("@bertqa/"));
    expect(ours.filter(({ name }) => !allowed.includes(packageOf(name))).map(show)).toEqual([]);
  });

  test("declares every package that it imports: npm's hoisting would let an undeclared one work", () => {
    const dependencies = dependenciesOf(folder);
    const foreign = all.filter(({ name }) => !name.startsWith(".") && !isNode(name));
    expect(foreign.filter(({ name }) => !dependencies.includes(packageOf(name))).map(show)).toEqual([]);
  });

  test("stays inside its own folder with relative imports", () => {
    const escapes = all.filter(({ file, name }) => name.startsWith("../".repeat(file.split("/").length)));
    expect(escapes.map(show)).toEqual([]);
  });

  test("writes Node's modules as node:name; pure packages have none", () => {
    const node = all.filter(({ name }) => isNode(name));
    const isPure = ["squad", "answers", "ui"].includes(folder);
    expect(node.filter(({ name }) => isPure || !name.startsWith("node:")).map(show)).toEqual([]);
  });
});

const { targetDefaults } = JSON.parse(readFileSync(join(packagesFolder, "..", "nx.json"), "utf8"));

describe.each(Object.keys(targetDefaults))("the hash of the %s stage", (stage) => {
  const { inputs } = targetDefaults[stage];
  const { projects } = inputs.find((input: { input?: string }) => input.input === "production");

  test.each(packageFolders())("changes with an edit in %s exactly where the stage's bytes can", (other) => {
    const decides = other === stage || workspaceDependenciesOf(stage).has(other);
    expect(projects.includes(other)).toBe(decides && !decidesNoBytes.includes(other));
  });

  test("counts every package from npm that can decide the stage's bytes, and what runs TypeScript", () => {
    const { externalDependencies } = inputs.find(
      (input: { externalDependencies?: string[] }) => input.externalDependencies,
    );
    const declared = (projects as string[]).flatMap(dependenciesOf).filter((name) => !name.startsWith("@bertqa/"));
    const deciding = [...declared, "esbuild"].filter((name) => !decidesNoBytes.includes(name));
    expect(externalDependencies).toEqual([...new Set(deciding)].sort());
  });
});

test("the check itself sees a crossing: static, re-exported, side-effect and dynamic imports", () => {
  const source = 'import { a } from "@bertqa/x";\nexport * from "y";\nimport "z";\nawait import("@scope/w/deep");';
  expect(importsOf(source).map(packageOf)).toEqual(["@bertqa/x", "y", "z", "@scope/w"]);
});
