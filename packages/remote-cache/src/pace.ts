import { Transform } from "node:stream";

/** How slowly a body may come before it is given up: one byte now and then keeps every limit on silence content. */
export interface Pace {
  /** On average since the start … */
  readonly slowestBytesPerSecond: number;
  /** … once so much time has passed. */
  readonly graceMs: number;
}

export const defaultPace: Pace = { slowestBytesPerSecond: 256 * 1024, graceMs: 10_000 };

export class TooSlowError extends Error {}

/** Lets bytes through while they keep the pace; @param giveUp ends what they come from or go to */
export function pacer({ slowestBytesPerSecond, graceMs }: Pace, giveUp: (error: Error) => void): Transform {
  const startedMs = performance.now();
  let bytes = 0;
  const timer = setInterval(
    () => {
      const elapsedMs = performance.now() - startedMs;
      if (elapsedMs < graceMs || bytes / (elapsedMs / 1000) >= slowestBytesPerSecond) return;
      const error = new TooSlowError(`only ${bytes} bytes went over in ${(elapsedMs / 1000).toFixed(1)} s`);
      passing.destroy(error);
      giveUp(error);
    },
    Math.max(10, graceMs / 10),
  );
  const passing = new Transform({
    transform(piece: Buffer, _encoding, done) {
      bytes += piece.length;
      done(null, piece);
    },
    flush(done) {
      clearInterval(timer);
      done();
    },
    destroy(error, done) {
      clearInterval(timer);
      done(error);
    },
  });
  return passing;
}
