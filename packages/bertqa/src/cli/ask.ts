import { BertqaError } from "@bertqa/squad";
import {
  loadQuestionAnswering,
  type LoadOptions,
  type Precision,
  type QuestionAnswering,
  type Runtime,
} from "../node.ts";
import { PassageIndex, rankAnswers, readDocuments } from "./documents.ts";
import { readInput } from "./input.ts";
import { findLastExport } from "./last-export.ts";
import { parseQuestions, type AskedQuestion } from "./questions.ts";
import { jsonLine, markFor, oneLine, renderAnswer, renderSentence, shown } from "./render.ts";

export interface AskFlags extends ModelFlags {
  readonly context?: string;
  readonly questions?: string;
  readonly documents?: string;
  readonly passages: number;
  readonly topK: number;
  readonly json?: boolean;
}

export interface ModelFlags {
  readonly model?: string;
  readonly precision: Precision;
  readonly runtime?: Runtime;
  readonly threads?: number;
  readonly maxPassageCharacters?: number;
}

/** Questions answered together: enough for batches of similar length, few enough for a stream to go on. */
const questionsPerRound = 256;

/** Loads the model that the flags name. */
export async function loadModel({ model, ...flags }: ModelFlags): Promise<QuestionAnswering> {
  return loadQuestionAnswering(model ?? (await findLastExport(process.cwd())), flags satisfies LoadOptions);
}

/** `bertqa ask`: answers questions from a passage or from documents. */
export async function ask(words: readonly string[], flags: AskFlags): Promise<void> {
  const asked = await questionsFrom(words, flags);
  const qa = await loadModel(flags);
  try {
    if (flags.documents !== undefined) await askDocuments(qa, asked, flags.documents, flags);
    else await askPassage(qa, asked, flags);
  } finally {
    await qa.dispose();
  }
}

async function questionsFrom(words: readonly string[], flags: AskFlags): Promise<AskedQuestion[]> {
  if (flags.questions === "-" && flags.context === "-") {
    throw new BertqaError("ask", "standard input cannot be both passage and questions", {
      remedy: "Give one of them as a file",
    });
  }
  const lines =
    flags.questions === undefined
      ? []
      : parseQuestions(await readInput(flags.questions, "the file of questions"), flags.questions);
  const asked: AskedQuestion[] = [...words.map((question) => ({ question })), ...lines];
  if (asked.length === 0) {
    throw new BertqaError("ask", "there is no question", { remedy: 'Give one: bertqa ask --context FILE "Who …?"' });
  }
  const hasPassage = flags.context !== undefined || asked.some(({ context }) => context !== undefined);
  if (flags.documents !== undefined && hasPassage) {
    throw new BertqaError("ask", "a question has both a passage and documents to search", {
      remedy: "Leave out --documents, or --context and the questions' own contexts",
    });
  }
  return asked;
}

async function askPassage(qa: QuestionAnswering, asked: readonly AskedQuestion[], flags: AskFlags): Promise<void> {
  const shared = flags.context === undefined ? undefined : await readInput(flags.context, "the passage");
  const mark = markFor(process.stdout);
  for (let first = 0; first < asked.length; first += questionsPerRound) {
    const inputs = asked.slice(first, first + questionsPerRound).map((each) => {
      const context = each.context ?? shared;
      if (context !== undefined) return { ...each, context, topK: flags.topK };
      throw new BertqaError("ask", `there is no passage for the question "${each.question}"`, {
        remedy: "Give one with --context FILE, or a folder with --documents",
      });
    });
    const results = await qa.answerAll(inputs);
    for (const [i, result] of results.entries()) {
      const input = inputs[i]!;
      process.stdout.write(
        flags.json ? jsonLine(input, result) : `${renderAnswer(input, input.context, result, mark)}\n`,
      );
    }
  }
}

async function askDocuments(
  qa: QuestionAnswering,
  asked: readonly AskedQuestion[],
  folder: string,
  flags: AskFlags,
): Promise<void> {
  const note = (line: string) => void process.stderr.write(`warning: ${line}\n`);
  const index = new PassageIndex(await readDocuments(folder, { note }));
  const mark = markFor(process.stdout);
  for (const { id, question } of asked) {
    const passages = index.search(question, flags.passages);
    const results = await qa.answerAll(passages.map(({ text: context }) => ({ question, context })));
    const ranked = rankAnswers(passages, results, flags.topK);
    if (flags.json) {
      const answers = ranked.map(({ text, score, noAnswerProbability, passage, line }) => ({
        answer: text,
        score,
        noAnswerProbability,
        file: passage.file,
        line,
      }));
      process.stdout.write(
        `${JSON.stringify({ ...(id !== undefined && { id }), question, answers, passagesRead: passages.length })}\n`,
      );
      continue;
    }
    const lines = ranked.flatMap(({ text, score, passage, line, codePoints, utf16 }) => [
      `  ${oneLine(text)} · probability ${shown(score)} · ${oneLine(passage.file)}:${line}`,
      `    ${renderSentence(passage.text, { codePoints, utf16 }, mark)}`,
    ]);
    process.stdout.write(
      [oneLine(question.trim()), ...(lines.length > 0 ? lines : ["  no passage shares a word with it"]), "", ""].join(
        "\n",
      ),
    );
  }
  process.stderr.write("note: probabilities and threshold were tuned on single passages, not on a choice among many\n");
}
