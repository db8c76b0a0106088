/** A file is of a kind that is not read, or not of the kind that it looks like. Its message goes after the file's name. */
export class FormatError extends Error {
  /** What to do, as an imperative sentence. */
  readonly remedy: string | undefined;

  constructor(problem: string, remedy?: string) {
    super(problem);
    this.name = "FormatError";
    this.remedy = remedy;
  }
}
