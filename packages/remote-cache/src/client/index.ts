export { runNx } from "./run-nx.ts";
