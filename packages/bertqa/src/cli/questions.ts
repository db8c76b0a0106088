import { BertqaError, parseDataJson } from "@bertqa/squad";
import { z } from "zod";

/** A question as it came in: its id is passed on to the output. */
export interface AskedQuestion {
  readonly id?: string | number | undefined;
  readonly question: string;
  /** The question's own passage. */
  readonly context?: string | undefined;
}

/** Where some rows have a column and others have none, programs write null for it. */
const lineSchema = z.object({
  id: z.union([z.string(), z.number(), z.null().transform(() => undefined)]).optional(),
  question: z.string().regex(/\S/),
  context: z.union([z.string(), z.null().transform(() => undefined)]).optional(),
});

/**
 * Reads questions, one a line: JSON objects with `question`, and `id` and `context` where wanted, or plain text. Empty
 * lines are left out.
 *
 * @throws BertqaError naming the line that is neither
 */
export function parseQuestions(content: string, where: string): AskedQuestion[] {
  const questions: AskedQuestion[] = [];
  for (const [index, line] of content.split(/\r?\n/).entries()) {
    if (line.trim() === "") continue;
    // A list of objects, as json.dump writes it, would be asked as a text.
    const isJson = /^\s*(\{|\[\s*(\{|$))/.test(line);
    questions.push(isJson ? parseLine(line, `${where}:${index + 1}`) : { question: line });
  }
  return questions;
}

function parseLine(line: string, where: string): AskedQuestion {
  try {
    return lineSchema.parse(parseDataJson(line));
  } catch (cause) {
    const problem = "the line is no JSON object with a question";
    throw new BertqaError("ask", problem, { remedy: 'Write {"question": "…"}, or plain text', where, cause });
  }
}
