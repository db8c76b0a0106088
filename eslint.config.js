import { builtinModules } from "node:module";
import { register } from "tsx/esm/api";
import tseslint from "typescript-eslint";

register();
const { packageFolders, wallOf } = await import("./test/walls.ts");

const nodePrefix = builtinModules.map((name) => ({ name, message: `Write node:${name}.` }));

/** Each package may import from the packages that its tag allows, by name and never by a deep path. */
const walls = packageFolders().map((folder) => {
  const { allowed } = wallOf(folder);
  return {
    files: [`packages/${folder}/src/**/*.ts`],
    rules: {
      "no-restricted-imports": [
        "error",
        {
          paths: nodePrefix,
          patterns: [
            {
              regex: `^@bertqa/(?!(${allowed.join("|") || "none"})(/|$))`,
              message: `packages/${folder} may import ${allowed.map((name) => `@bertqa/${name}`).join(", ") || "no other package"} only.`,
            },
            { group: ["**/packages/*", "../../*/src/*"], message: "Import another package by its name." },
          ],
        },
      ],
    },
  };
});

export default tseslint.config(
  { ignores: ["**/node_modules/**", "artifacts/**", "data/**", ".nx/**", "**/fixtures/**"] },
  ...tseslint.configs.strict,
  ...tseslint.configs.stylistic,
  {
    rules: {
      "@typescript-eslint/no-unused-vars": ["error", { argsIgnorePattern: "^_", varsIgnorePattern: "^_" }],
      "@typescript-eslint/no-dynamic-delete": "off",
      // noUncheckedIndexedAccess makes every array read doubtful; in numeric code the bounds are known.
      "@typescript-eslint/no-non-null-assertion": "off",
      // Arrow functions that do nothing are how a silent reporter is written.
      "@typescript-eslint/no-empty-function": ["error", { allow: ["arrowFunctions"] }],
      eqeqeq: "error",
      "no-console": "error",
      "no-restricted-imports": ["error", { paths: nodePrefix }],
    },
  },
  ...walls,
);
