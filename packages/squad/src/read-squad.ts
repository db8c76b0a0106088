import { asRecord, typeName } from "./read-answers.ts";
import type { RawRow } from "./read-rows.ts";

/**
 * Flattens SQuAD's articles → paragraphs → questions, as they are in a file: nothing is checked but that there are arrays
 * to walk through. A question's id may be called `guid` (KLUE), `qid` (MRQA) or `query_id` (CMRC 2018), its answers `answer`; one question
 * may stand without a list.
 *
 * @param path of `articles` in the file, for messages
 */
export function rowsOfArticles(articles: readonly unknown[], path: string): RawRow[] {
  let paragraphCount = 0;
  return articles.flatMap((value, article): RawRow[] => {
    const { title, paragraphs } = asRecord(value);
    const place = `${path}[${article}]`;
    if (!Array.isArray(paragraphs)) {
      const brokenShape = `paragraphs: expected an array, got ${typeName(paragraphs)}`;
      return [{ place, article, paragraph: paragraphCount++, title, brokenShape }];
    }
    return paragraphs.flatMap((paragraph: unknown, i) =>
      rowsOfParagraph(paragraph, { place: `${place}.paragraphs[${i}]`, article, paragraph: paragraphCount++, title }),
    );
  });
}

/** Rows of `{context, qas}`. */
export function rowsOfParagraph(
  value: unknown,
  at: Pick<RawRow, "place" | "article" | "paragraph" | "title">,
): RawRow[] {
  const { context_text, context = context_text, qas } = asRecord(value);
  const place = `${at.place}.qas`;
  if (Array.isArray(qas))
    return qas.map((qa: unknown, i) => ({ ...at, context, ...ofQuestion(qa), place: `${place}[${i}]` }));
  if (typeof qas === "object" && qas !== null) return [{ ...at, context, ...ofQuestion(qas), place }];
  return [{ ...at, brokenShape: `qas: expected an array, got ${typeName(qas)}` }];
}

/** What a question's object says of itself, by the names that files use. */
export function ofQuestion(value: unknown): Omit<RawRow, "place" | "article" | "paragraph"> {
  if (typeof value !== "object" || value === null)
    return { brokenShape: `expected a question, got ${typeName(value)}` };
  const record = asRecord(value);
  const { answers, answer, is_impossible, plausible_answers } = record;
  const { value: given, ...broken } = saidOnce([
    ["answers", answers],
    ["answer", answer],
  ]);
  return {
    id: record["id"] ?? record["guid"] ?? record["qid"] ?? record["query_id"],
    question: record["question"] ?? record["query_text"],
    answers: given,
    isImpossible: is_impossible,
    plausibleAnswers: plausible_answers,
    ...broken,
  };
}

/**
 * What is said under several names for one thing. An empty one says nothing beside one that says something; of two that say
 * different things, one would be passed over in silence, and with it maybe the answer.
 */
export function saidOnce(
  named: readonly (readonly [name: string, value: unknown])[],
): Pick<RawRow, "brokenShape"> & { readonly value: unknown } {
  const present = named.filter(([, value]) => value !== undefined && value !== null);
  const said = present.filter(([, value]) => value !== "");
  const [first = present[0] ?? named[0]] = said;
  const other = said.find(([, value]) => JSON.stringify(value) !== JSON.stringify(first?.[1]));
  const brokenShape = other && `${first?.[0]} and ${other[0]} say different things: keep one of the two`;
  return { value: first?.[1], ...(brokenShape && { brokenShape }) };
}
