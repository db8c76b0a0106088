import { builtinModules } from "node:module";
import tseslint from "typescript-eslint";

const nodePrefix = builtinModules.map((name) => ({ name, message: `Write node:${name}.` }));

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
);
