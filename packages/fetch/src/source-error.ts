/** For a file that is another than the pinned one. */
export const pinRemedy = "Check its bytes and sha256 in fetch.json, or take another source";

/** Why one source did not give a file; the next source has its turn. Its message is the part after `<address>: `. */
export class SourceError extends Error {
  /** What to do, where it is not about the network. */
  readonly remedy: string | undefined;

  constructor(reason: string, details: { readonly cause?: unknown; readonly remedy?: string } = {}) {
    super(reason, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = "SourceError";
    this.remedy = details.remedy;
  }
}
