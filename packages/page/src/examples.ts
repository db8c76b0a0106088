import { readFile } from "node:fs/promises";
import { join } from "node:path";

const corpus = join(import.meta.dirname, "../../../pipelines/sample/corpus/dev.json");
/** Articles of the sample's dev questions, and which of their passages. */
const chosen: Readonly<Record<string, readonly number[]>> = {
  "The violin": [0, 1, 2],
  Glaciers: [2],
  Chess: [2],
  Cheese: [2],
  Glass: [1],
};
const questionsShown = 4;

interface Corpus {
  readonly data: readonly {
    readonly title: string;
    readonly paragraphs: readonly {
      readonly context: string;
      readonly qas: readonly { readonly question: string; readonly is_impossible: boolean }[];
    }[];
  }[];
}

export interface Example {
  readonly title: string;
  readonly text: string;
  /** To try: the last one has no answer in the text. */
  readonly questions: readonly string[];
}

/** The examples of the page: passages of the sample's corpus, as far as a workspace still has it. */
export async function readExamples(): Promise<Example[]> {
  const text = await readFile(corpus, "utf8").catch((error: NodeJS.ErrnoException) => {
    if (error.code === "ENOENT") return undefined;
    throw error;
  });
  const { data } = text === undefined ? { data: [] } : (JSON.parse(text) as Corpus);
  return Object.entries(chosen).flatMap(([title, positions]) => {
    const article = data.find((article) => article.title === title);
    const paragraphs = positions.flatMap((i) => article?.paragraphs[i] ?? []);
    if (paragraphs.length === 0) return [];
    const questions = paragraphs.flatMap(({ qas }) => qas);
    const answerable = questions.filter((question) => !question.is_impossible);
    // Spread over the text, not all from its first paragraph.
    const step = Math.max(1, Math.floor(answerable.length / (questionsShown - 1)));
    const shown = answerable.filter((_, i) => i % step === 0).slice(0, questionsShown - 1);
    const unanswerable = questions.filter((question) => question.is_impossible).slice(0, 1);
    return {
      title,
      text: paragraphs.map(({ context }) => context).join("\n\n"),
      questions: [...shown, ...unanswerable].map(({ question }) => question),
    };
  });
}
