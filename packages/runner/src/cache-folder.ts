// Imports nothing but Node: the check that an engine is installed runs before every stage, and must start fast.
import { chmodSync, lstatSync, mkdirSync, statSync, type Stats } from "node:fs";
import { homedir } from "node:os";
import { join, resolve } from "node:path";

export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The per-user cache: `BERTQA_CACHE`, or `bertqa` under `XDG_CACHE_HOME`, or `~/.cache/bertqa`. Empty means unset.
 *
 * @returns an absolute path: links and other programs, which look from elsewhere, are given it
 */
export function cacheFolder(environment: Environment = process.env, home: string = homedir()): string {
  if (environment["BERTQA_CACHE"]) return resolve(environment["BERTQA_CACHE"]);
  return resolve(environment["XDG_CACHE_HOME"] || join(home, ".cache"), "bertqa");
}

/**
 * Why nothing in a cache folder may be trusted, or undefined where it may be, or is not there: native code is loaded from it, so
 * only this user or the administrator may have put it there. A symbolic link is followed if it is theirs.
 *
 * @param userId the user whose folder it must be; undefined on Windows, which has none: nothing is checked there
 */
export function cacheFolderProblem(folder: string, userId = process.getuid?.()): string | undefined {
  const found = lstatSync(folder, { throwIfNoEntry: false });
  if (!found || userId === undefined) return undefined;
  const target = found.isSymbolicLink() ? statSync(folder, { throwIfNoEntry: false }) : found;
  if (!target?.isDirectory()) return "is not a folder";
  const stranger = [found, target].find(({ uid }) => uid !== userId && uid !== 0);
  if (stranger) return `belongs to user ${stranger.uid}, expected user ${userId}`;
  return isWritableByOthers(target) ? `may be written by other users (mode ${octal(target)})` : undefined;
}

/**
 * Makes the cache folder, or one inside it, where it is missing, for this user alone (mode 0700). One that is this user's own
 * loses others' right to write.
 *
 * @param stage whose name an error begins with
 * @returns its path
 * @throws BertqaError if others could have put files there; Node's own errors where it cannot be made
 */
export async function openCacheFolder(stage: string, folder: string = cacheFolder()): Promise<string> {
  const found = statSync(folder, { throwIfNoEntry: false });
  if (!found) mkdirSync(folder, { recursive: true, mode: 0o700 });
  else if (found.uid === process.getuid?.() && isWritableByOthers(found)) chmodSync(folder, found.mode & 0o755);
  const problem = cacheFolderProblem(folder);
  if (problem === undefined) return folder;
  const { BertqaError } = await import("@bertqa/core"); // loads half a second's worth of libraries: only now
  throw new BertqaError(stage, `the cache folder ${problem}`, {
    remedy: "Set BERTQA_CACHE to a folder of your own",
    where: folder,
  });
}

function isWritableByOthers({ mode }: Stats): boolean {
  return (mode & 0o022) !== 0;
}

function octal({ mode }: Stats): string {
  return (mode & 0o777).toString(8).padStart(4, "0");
}
