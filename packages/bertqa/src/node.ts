import { loadParts, type LoadOptions } from "./load-parts.ts";
import { QuestionAnswering } from "./question-answering.ts";

export * from "./public.ts";
export type { LoadOptions } from "./load-parts.ts";

/**
 * Loads an exported model from a folder.
 *
 * @throws BertqaError if the folder is no export, its files do not belong together, or no runtime loads
 */
export async function loadQuestionAnswering(folder: string, options: LoadOptions = {}): Promise<QuestionAnswering> {
  return new QuestionAnswering(await loadParts(folder, options));
}
