import { tmpdir } from "node:os";
import { BertqaError } from "@bertqa/squad";

/** Says what is wrong with the folder for temporary files: it is missing, full, or cannot be written. */
export function temporaryFolderError(stage: string, cause: unknown): BertqaError {
  const { code, message } = cause as NodeJS.ErrnoException;
  return new BertqaError(stage, `the folder for temporary files cannot be used: ${code ?? message}`, {
    remedy: "Set TMPDIR to a folder with room that can be written",
    where: tmpdir(),
    cause,
  });
}
