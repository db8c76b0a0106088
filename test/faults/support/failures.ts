import { BertqaError } from "@bertqa/core";
import { watchFiles, type Fault, type FileChange } from "./file-calls.ts";
import { lookAt, runAgain, stateOf, type Writer } from "./replay.ts";
import { drawn, isChosen, isFull } from "./scale.ts";
import type { Tally } from "./tally.ts";

const codes = ["ENOSPC", "EIO", "EACCES", "EMFILE"] as const;

/**
 * Lets each call that changes files fail in turn, with each error and as on a disk that stays full. The writes between the first
 * and the last of one file are one loop: of four such, one fails, with an error that is drawn.
 */
export async function failEverywhere(writer: Writer, tally: Tally, isAll = isFull): Promise<void> {
  await writer.reset();
  const { calls, error } = await watchFiles(writer.folder, undefined, () => writer.run());
  if (error) throw new Error(`the undisturbed run of ${writer.name}`, { cause: error });
  const proven = new Set<string>();
  for (let at = 1; at <= calls.length; at++) {
    const isEachError = isAll && !isInnerWrite(calls, at - 1);
    if (!isEachError && !isChosen(4, "fail", writer.name, at)) continue;
    const faults: Fault[] = [...codes.map((kind) => ({ kind, at })), { kind: "ENOSPC", at, isLasting: true }];
    const chosen = isEachError ? faults : [drawn(faults, writer.name, at)];
    for (const fault of chosen) await failOnce(writer, fault, proven, tally);
  }
}

function isInnerWrite(calls: readonly FileChange[], at: number): boolean {
  return [at - 1, at, at + 1].every((each) => calls[each]?.kind === "write" && calls[each].path === calls[at]!.path);
}

async function failOnce(writer: Writer, fault: Fault, proven: Set<string>, tally: Tally): Promise<void> {
  await writer.reset();
  const { failed, error, result } = await watchFiles(writer.folder, fault, () => writer.run());
  // Each run of a stage is a process of its own; here they are one.
  writer.forgetOwner();
  const what = `${fault.kind}${fault.isLasting ? " that lasts" : ""} in ${writer.name} at call ${fault.at}, ${failed?.kind} ${failed?.path}`;
  if (!failed) return tally.find("other", `${what}: there was no such call`);
  tally.count("calls failed");
  if (error !== undefined && !(error instanceof BertqaError))
    tally.find("other", `no clear error after ${what}`, error);
  const { before, now } = writer.hashes;
  const expected = error === undefined ? [now] : [before, now];
  if (error === undefined && result !== now) tally.find("accepted", `${what}: ${result}`);
  await lookAt(writer, { folder: writer.folder, expected, what }, tally);
  const state = stateOf(writer.folder);
  if (proven.has(state)) return;
  proven.add(state);
  await runAgain(writer, what, tally);
}
