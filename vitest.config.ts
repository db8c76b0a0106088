import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["packages/*/test/**/*.test.ts", "test/**/*.test.ts"],
    testTimeout: 30_000,
    // TensorFlow takes all cores: more than two files at once only makes each slower.
    maxWorkers: 2,
    pool: "forks",
  },
});
