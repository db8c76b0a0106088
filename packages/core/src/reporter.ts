/** How a stage speaks to people: lines on stderr, each with the stage's name in front; stdout is left to programs. */
export interface Reporter {
  line(text: string): void;
  /**
   * A live bar on a terminal; piped, a row now and then. End it with `stop`.
   *
   * @param doneBefore what an earlier, interrupted run had done: it counts as done, not towards the rate
   */
  progress(total: number, unit: string, doneBefore?: number): Progress;
}

export interface Progress {
  /** @param done how many of the total are done; @param note shown beside the rate, for example the loss */
  update(done: number, note?: string): void;
  stop(): void;
}

/** A reporter that says nothing, for tests and for callers that report themselves. */
export const silentReporter: Reporter = {
  line: () => {},
  progress: () => ({ update: () => {}, stop: () => {} }),
};

/** A duration for people: `0.4 s`, `12 s`, `3 min 20 s`, `2 h 5 min`. */
export function formatDuration(ms: number): string {
  const seconds = ms / 1000;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return `${minutes} min ${whole % 60} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** A size for people, in powers of 1000: `310 B`, `1.2 MB`. */
export function formatBytes(bytes: number): string {
  const units = ["B", "kB", "MB", "GB", "TB"];
  let value = bytes;
  let unit = 0;
  while (value >= 1000 && unit < units.length - 1) {
    value /= 1000;
    unit++;
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${units[unit]}`;
}
