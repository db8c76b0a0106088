import { builtinModules } from "node:module";
import tseslint from "typescript-eslint";

const nodePrefix = builtinModules.map((name) => ({ name, message: `Write node:${name}.` }));

export default tseslint.config(
  { ignores: ["**/node_modules/**", "artifacts/**", "data/**", ".nx/**", "**/fixtures/**", "packages/*/dist/**"] },
  ...tseslint.configs.strictTypeChecked,
  ...tseslint.configs.stylisticTypeChecked,
  {
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      "@typescript-eslint/no-unused-vars": ["error", { argsIgnorePattern: "^_", varsIgnorePattern: "^_" }],
      "@typescript-eslint/no-dynamic-delete": "off",
      // noUncheckedIndexedAccess makes every array read doubtful; in numeric code the bounds are known.
      "@typescript-eslint/no-non-null-assertion": "off",
      // Arrow functions that do nothing are how a silent reporter is written.
      "@typescript-eslint/no-empty-function": ["error", { allow: ["arrowFunctions"] }],
      "@typescript-eslint/restrict-template-expressions": ["error", { allowNumber: true, allowBoolean: true }],
      // Index signatures are read as they are written in JSON; `as` and `!` both say what bounds guarantee.
      "@typescript-eslint/dot-notation": "off",
      // An empty text is often no value; `[...text]` is how code points are counted; `return found(x)` of a void call reads well.
      "@typescript-eslint/prefer-nullish-coalescing": "off",
      "@typescript-eslint/no-misused-spread": "off",
      "@typescript-eslint/no-confusing-void-expression": "off",
      "@typescript-eslint/no-meaningless-void-operator": "off",
      "@typescript-eslint/use-unknown-in-catch-callback-variable": "off",
      // The types of data from outside (JSON, the DOM, Arrow) promise more than the data holds.
      "@typescript-eslint/no-unnecessary-condition": "off",
      "@typescript-eslint/no-base-to-string": "off",
      "@typescript-eslint/no-unnecessary-type-parameters": "off",
      // An interface may ask for a promise where one implementation has nothing to wait for.
      "@typescript-eslint/require-await": "off",
      // apache-arrow's types are classes of type parameters that cannot be named.
      "@typescript-eslint/no-unsafe-class-instance-assignment": "off",
      "@typescript-eslint/non-nullable-type-assertion-style": "off",
      eqeqeq: "error",
      "no-console": "error",
      "no-restricted-imports": ["error", { paths: nodePrefix }],
    },
  },
  {
    // Tests read JSON as it comes; linkedom has no types.
    files: ["**/test/**/*.ts", "test/**/*.ts", "**/bench/**/*.ts", "packages/report/src/svg.ts"],
    rules: Object.fromEntries(
      ["argument", "assignment", "call", "enum-assignment", "enum-comparison", "member-access", "return"].map(
        (name) => [`@typescript-eslint/no-unsafe-${name}`, "off"],
      ),
    ),
  },
  // Plain JavaScript has no types to check.
  { files: ["**/*.{js,mjs}"], ...tseslint.configs.disableTypeChecked },
);
