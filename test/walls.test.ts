import { readdirSync, readFileSync } from "node:fs";
import { builtinModules } from "node:module";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { packageFolders, wallOf } from "./walls.ts";

/** Module names in `import … from "x"`, `export … from "x"`, `import "x"` and `import("x")`. */
function importsOf(source: string): string[] {
  const pattern = /(?:\bfrom\s*|\bimport\s*\(?\s*)"([^"]+)"/g;
  return [...source.matchAll(pattern)].map((match) => match[1] as string);
}

/** `@scope/name/deep` → `@scope/name`, `name/deep` → `name`. */
function packageOf(specifier: string): string {
  const parts = specifier.split("/");
  return parts.slice(0, specifier.startsWith("@") ? 2 : 1).join("/");
}

function sourcesOf(folder: string): { file: string; imports: string[] }[] {
  const src = join(import.meta.dirname, "..", "packages", folder, "src");
  return readdirSync(src, { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".ts"))
    .map((file) => ({ file, imports: importsOf(readFileSync(join(src, file), "utf8")) }));
}

describe.each(packageFolders())("packages/%s", (folder) => {
  const { allowed, dependencies } = wallOf(folder);

  test("imports only the packages that its tag allows", () => {
    const crossings = sourcesOf(folder).flatMap(({ file, imports }) =>
      imports
        .filter((name) => name.startsWith("@bertqa/"))
        .filter((name) => !allowed.includes(packageOf(name).slice("@bertqa/".length)))
        .map((name) => `${file} imports ${name}`),
    );
    expect(crossings).toEqual([]);
  });

  test("declares every package that it imports: npm's hoisting would let an undeclared one work", () => {
    const undeclared = sourcesOf(folder).flatMap(({ file, imports }) =>
      imports
        .filter((name) => !name.startsWith(".") && !name.startsWith("node:") && !builtinModules.includes(name))
        .map(packageOf)
        .filter((name) => !dependencies.includes(name))
        .map((name) => `${file} imports ${name}`),
    );
    expect(undeclared).toEqual([]);
  });

  test("stays inside its own folder with relative imports", () => {
    const escapes = sourcesOf(folder).flatMap(({ file, imports }) =>
      imports
        .filter((name) => name.startsWith("../".repeat(file.split("/").length)))
        .map((name) => `${file} imports ${name}`),
    );
    expect(escapes).toEqual([]);
  });
});

test("the check itself sees a crossing: static, re-exported, side-effect and dynamic imports", () => {
  const source = 'import { a } from "@bertqa/x";\nexport * from "y";\nimport "z";\nawait import("@scope/w/deep");';
  expect(importsOf(source).map(packageOf)).toEqual(["@bertqa/x", "y", "z", "@scope/w"]);
});
