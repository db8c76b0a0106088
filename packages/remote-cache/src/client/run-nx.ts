import { BertqaError } from "@bertqa/core";
import { droppedFolderIn, workspaceOf } from "@bertqa/runner";
import { spawn, type ChildProcess } from "node:child_process";
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";
import { constants } from "node:os";
import { dirname, join } from "node:path";
import { startCacheProxy, type CacheProxy, type CacheProxyOptions } from "./proxy.ts";
import { serverVariable, type CacheAddress } from "./upstream.ts";

const tokenVariable = "NX_SELF_HOSTED_REMOTE_CACHE_ACCESS_TOKEN";

export interface NxRun {
  readonly environment: NodeJS.ProcessEnv;
  readonly folder: string;
  /** Where people read; Nx draws on the terminal itself while it runs. */
  readonly say: (text: string) => void;
  /** Whether to keep warnings until Nx has ended. */
  readonly isTerminal: boolean;
  readonly limits?: Pick<CacheProxyOptions, "patience" | "finishMs">;
}

/**
 * Runs Nx with its arguments as they are; where the environment names a cache's server, behind a proxy that never fails the run.
 *
 * @returns Nx's exit code
 * @throws BertqaError if there is no Nx here
 */
export async function runNx(nxArguments: readonly string[], run: NxRun): Promise<number> {
  const nx = findNx(run.folder);
  const address = cacheAddress(run.environment);
  if (!address) {
    const plain = startNx(nx, nxArguments, run.folder, run.environment);
    return endOf(plain).finally(passSignals(plain, () => {}));
  }
  const held: string[] = [];
  const workspaceFolder = workspaceOf(run.folder);
  const proxy = await startCacheProxy({
    ...run.limits,
    address,
    warn: (text) => void (run.isTerminal ? held.push(text) : run.say(text)),
    droppedFolder: workspaceFolder === undefined ? undefined : droppedFolderIn(workspaceFolder),
  });
  const environment = behind(proxy, run.environment);
  const nxProcess = startNx(nx, nxArguments, run.folder, environment);
  const stop = passSignals(nxProcess, () => proxy.abandon());
  try {
    return await endOf(nxProcess);
  } finally {
    if (proxy.pending() > 0) run.say(`sending ${proxy.pending()} of this run's results`);
    await proxy.finish();
    stop();
    held.forEach((text) => run.say(text));
    const { taken, missed, stored, failed } = proxy.tally;
    run.say(`${taken} taken, ${missed} not there, ${stored} stored${failed > 0 ? `, ${failed} failed` : ""}`);
  }
}

function cacheAddress(environment: NodeJS.ProcessEnv): CacheAddress | undefined {
  const url = environment[serverVariable];
  return url ? { url, token: environment[tokenVariable] || undefined } : undefined;
}

/**
 * Nx's environment: our proxy's address, reached directly, and a token that is worth nothing elsewhere. Some programs read the one
 * spelling of NO_PROXY first, some the other: one that was not set holds what the other says, or it would take that away.
 */
function behind(proxy: CacheProxy, environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const { no_proxy: lower, NO_PROXY: upper } = environment;
  return {
    ...environment,
    no_proxy: withLoopback(lower || upper),
    NO_PROXY: withLoopback(upper || lower),
    [serverVariable]: proxy.url,
    [tokenVariable]: proxy.token,
  };
}

/** Alone, a star means every host; in a list it is none to undici and curl. */
function withLoopback(hosts: string | undefined): string {
  return hosts === "*" ? hosts : [hosts, "127.0.0.1"].filter(Boolean).join(",");
}

/** The workspace's own Nx. */
function findNx(folder: string): string {
  try {
    const manifest = createRequire(join(folder, "package.json")).resolve("nx/package.json");
    const { bin } = JSON.parse(readFileSync(manifest, "utf8")) as { bin: { nx: string } };
    return join(dirname(manifest), bin.nx);
  } catch (cause) {
    throw new BertqaError("nx", "there is no Nx here", { remedy: "Run npm ci in the workspace", where: folder, cause });
  }
}

function startNx(nx: string, nxArguments: readonly string[], folder: string, env: NodeJS.ProcessEnv): ChildProcess {
  return spawn(process.execPath, [nx, ...nxArguments], { cwd: folder, env, stdio: "inherit" });
}

function endOf(child: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("close", (code, signal) => resolve(code ?? 128 + (signal ? constants.signals[signal] : 1)));
  });
}

/** The terminal sends Ctrl-C to Nx, too, which ends its tasks; other signals come to us alone. @returns stops listening */
function passSignals(child: ChildProcess, onSignal: () => void): () => void {
  const passOn = (signal: NodeJS.Signals) => {
    onSignal();
    if (signal !== "SIGINT") child.kill(signal);
  };
  const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
  signals.forEach((signal) => process.on(signal, passOn));
  return () => signals.forEach((signal) => process.off(signal, passOn));
}
