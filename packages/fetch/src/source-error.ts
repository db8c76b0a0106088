/** Why one source did not give a file; the next source has its turn. Its message is the part after `<address>: `. */
export class SourceError extends Error {
  constructor(reason: string, cause?: unknown) {
    super(reason, cause === undefined ? undefined : { cause });
    this.name = "SourceError";
  }
}
