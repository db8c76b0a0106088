import { Worker, type WorkerOptions } from "node:worker_threads";

/**
 * Starts a thread that runs a module of this folder.
 *
 * @param youngMiB what short-lived objects may take before they are collected; Node's own 48 MiB a thread add up
 */
export function startThread(name: "engine-worker" | "session-worker", workerData: unknown, youngMiB: number): Worker {
  const options: WorkerOptions = { workerData, resourceLimits: { maxYoungGenerationSizeMb: youngMiB } };
  if (!import.meta.url.endsWith(".ts")) return new Worker(new URL(`./${name}.js`, import.meta.url), options);
  return new Worker(new URL("./thread.mjs", import.meta.url), { ...options, argv: [`./${name}.ts`] });
}
