import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, watch } from "node:fs";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";

/** In the environment of every process of a run, and of no other. */
const variable = "BERTQA_FAULTS_RUN";

export interface NxRun {
  readonly exitCode: number | null;
  readonly output: string;
  /** From when a stage took its lock until it gave it back, in ms. */
  readonly heldMs: ReadonlyMap<string, number>;
}

/** When a run is killed: so long after a stage took its lock. */
export interface KillMoment {
  readonly stage: string;
  readonly afterMs: number;
}

/**
 * Runs `npx nx …` in a workspace, and at a moment kills every process of the run at once: all are stopped before the first is killed, so that
 * none sees another die.
 *
 * @param artifacts the folder in which the stages' locks lie
 */
export async function runNx(
  args: readonly string[],
  { workspace, artifacts }: { readonly workspace: string; readonly artifacts: string },
  moment?: KillMoment,
): Promise<NxRun> {
  mkdirSync(artifacts, { recursive: true });
  const id = randomUUID();
  const env = { ...process.env, NX_DAEMON: "false", NX_TUI: "false", FORCE_COLOR: "0", [variable]: id };
  const [takenMs, heldMs] = [new Map<string, number>(), new Map<string, number>()];
  let killed: Promise<void> | undefined;
  const watcher = watch(artifacts, (_event, name) => {
    const stage = /^\.([a-z]+)\.lock$/.exec(name ?? "")?.[1];
    if (stage === undefined) return;
    if (!existsSync(join(artifacts, `.${stage}.lock`))) heldMs.set(stage, performance.now() - takenMs.get(stage)!);
    else if (!takenMs.has(stage)) {
      takenMs.set(stage, performance.now());
      if (stage === moment?.stage) killed = wait(moment.afterMs).then(() => killAll(id));
    }
  });
  const child = spawn("npx", ["nx", ...args], {
    cwd: workspace,
    env,
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (text: Buffer) => (output += text.toString()));
  const exitCode = await new Promise<number | null>((resolve, reject) => {
    child.on("error", reject);
    child.on("close", resolve);
  });
  await killed;
  watcher.close();
  return { exitCode, output, heldMs };
}

/** Kills what carries the run's mark: nothing else is touched. Linux alone shows the environment of processes. */
function killAll(id: string): void {
  const stopped = new Set<number>();
  for (let found = processesOf(id, stopped); found.length > 0; found = processesOf(id, stopped)) {
    for (const pid of found) {
      signal(pid, "SIGSTOP");
      stopped.add(pid);
    }
  }
  for (const pid of stopped) signal(pid, "SIGKILL");
}

function processesOf(id: string, but: ReadonlySet<number>): number[] {
  const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  return pids.map(Number).filter((pid) => {
    if (but.has(pid)) return false;
    try {
      return readFileSync(`/proc/${pid}/environ`, "latin1").includes(`${variable}=${id}\0`);
    } catch {
      return false; // gone, or another user's
    }
  });
}

function signal(pid: number, name: "SIGSTOP" | "SIGKILL"): void {
  try {
    process.kill(pid, name);
  } catch {
    // ended by itself meanwhile
  }
}
