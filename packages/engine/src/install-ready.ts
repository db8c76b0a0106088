// Imports nothing but Node: see `locate.ts`.
import { isDeepStrictEqual } from "node:util";
import { describeHost } from "./install-host.ts";
import { findInstalledEngine } from "./locate.ts";

/** Whether an engine is installed, and chosen for this machine as it is now. Quick: starts no program, loads no library. */
export function isEngineReady(): boolean {
  const found = findInstalledEngine();
  return "record" in found && isDeepStrictEqual(found.record.host, describeHost());
}
