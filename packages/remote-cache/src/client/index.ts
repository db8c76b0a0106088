export { runNx, type NxRun } from "./run-nx.ts";
