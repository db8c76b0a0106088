import { countOf } from "./errors.ts";
import { rawGolds, readFlag, readName, typeName, type RawGold } from "./read-answers.ts";
import { placeGold, standsAt, type PlacedGold } from "./read-gold.ts";
import { IdRegister } from "./read-ids.ts";
import { Passage, quote, type OffsetUnit } from "./read-places.ts";
import type { Problem, ProblemKind } from "./read-problems.ts";
import { noPlace, type SquadFile } from "./read.ts";

/** A question as its file has it: found there, not checked. */
export interface RawRow {
  /** Where it stands: `data[0].paragraphs[1].qas[2]`, `line 12`. */
  readonly place: string;
  /** Its file, where those of several are read together: each counts offsets in a unit of its own. */
  readonly file?: string;
  /** Rows with one number share an article, or a passage; see {@link passageKey} for those without a title. */
  readonly article: number;
  readonly paragraph: number;
  readonly title?: unknown;
  readonly context?: unknown;
  readonly id?: unknown;
  readonly question?: unknown;
  readonly answers?: unknown;
  readonly isImpossible?: unknown;
  readonly plausibleAnswers?: unknown;
  /** Why this is no question at all, for example "paragraphs: expected an array, got nothing". */
  readonly brokenShape?: string;
}

/**
 * What the questions are for. `train` needs labels that stand in their passages. `dev` needs texts to score by: a bad
 * position never costs a question, and totals are those of the official script on the same file.
 */
export type ReadingPurpose = "train" | "dev";

/** A file's good questions, regrouped into SQuAD's articles, and all that was found on the way. */
export interface ReadSplit {
  readonly articles: SquadFile["data"];
  readonly problems: readonly Problem[];
  /** What was read otherwise than SQuAD has it, in sentences. */
  readonly notes: readonly string[];
}

/**
 * What "passage" means for rows. Without a title a passage is known by its text alone, wherever its rows stand, so that shuffled
 * rows and several files do not bring one passage into two articles, and those into train and dev.
 */
export function passageKey({ title, context, article, paragraph }: RawRow): string {
  return isUntitled(title) && typeof context === "string" ? `text ${context}` : `${article} ${paragraph}`;
}

/** Whether a row's title says nothing: a table's empty cell is no title. */
export function isUntitled(title: unknown): boolean {
  return title === undefined || title === null || title === "";
}

type Qa = SquadFile["data"][number]["paragraphs"][number]["qas"][number];

/**
 * Reads rows leniently: whatever can mean one thing only is read as that, and the rest is a {@link Problem}.
 *
 * @param rules.firstQuestions rows beyond this many, counted before any check, are not looked at
 */
export function readRows(
  purpose: ReadingPurpose,
  rows: readonly RawRow[],
  rules: { readonly firstQuestions?: number | undefined } = {},
): ReadSplit {
  const wanted = rows.slice(0, rules.firstQuestions);
  const passages = new PassageCache();
  const ids = new IdRegister(
    wanted.map(({ id }) => id),
    purpose === "dev",
  );
  const units = recognizeUnits(wanted, passages);
  const walk: Walk = { purpose, units, passages, ids, problems: [], placedAnswers: 0, emptyAnswers: 0 };
  const kept = wanted.map((row) => readRow(walk, row));
  const notes = [
    ...[...units].flatMap(([file, unit]) => {
      const note = `answer_start counts ${unit}: positions were converted to code points`;
      return unit === "code points" ? [] : [file === undefined ? note : `${file}: ${note}`];
    }),
    ...(ids.madeIds > 0 ? [`${countOf(ids.madeIds, "question")} without id, named by their place`] : []),
    ...(walk.emptyAnswers > 0
      ? [`${countOf(walk.emptyAnswers, "question")} with an empty answer and no is_impossible, read as unanswerable`]
      : []),
    ...(walk.placedAnswers > 0
      ? [`${countOf(walk.placedAnswers, "answer")} without position, found in one place`]
      : []),
  ];
  return { articles: regroup(wanted, kept), problems: walk.problems, notes };
}

interface Walk {
  readonly purpose: ReadingPurpose;
  /** What each file's offsets count. */
  readonly units: ReadonlyMap<string | undefined, OffsetUnit>;
  readonly passages: PassageCache;
  readonly ids: IdRegister;
  readonly problems: Problem[];
  placedAnswers: number;
  /** Questions of which an empty text alone says that there is no answer. */
  emptyAnswers: number;
}

interface Kept {
  readonly title: string | undefined;
  readonly context: string;
  readonly qa: Qa;
}

function readRow(walk: Walk, row: RawRow): Kept | undefined {
  const report: Report = (kind, what) => void walk.problems.push({ kind, where: whereOf(row), what });
  if (row.brokenShape !== undefined) return report("Shape", row.brokenShape);
  const { context, question } = row;
  if (typeof context !== "string") return report("Shape", `context: expected a text, got ${typeName(context)}`);
  if (typeof question !== "string") return report("Shape", `question: expected a text, got ${typeName(question)}`);
  const title = readName("title", row.title);
  if (title instanceof Error) return report("Shape", title.message);
  const bad = findTextProblem({ context, question, title });
  if (bad) return report(...bad);
  const passage = walk.passages.of(context);
  const unit = walk.units.get(row.file) ?? "code points";
  const label = readLabel(walk, row, (gold) => placeGold(passage, gold, unit), report);
  if (!label) return undefined;
  const { id, problem } = walk.ids.take(row.id, row.place);
  if (problem) report(problem.kind, problem.what);
  if (id === undefined) return undefined;
  const badId = findTextProblem({ id });
  return badId ? report(...badId) : { title, context, qa: { id, question, ...label } };
}

/** Finds an answer in the row's passage. */
type Place = (gold: RawGold) => PlacedGold;
type Report = (kind: ProblemKind, what: string) => undefined;

/** `answers`, `is_impossible` and plausible answers, or nothing where they cannot be used. */
function readLabel(walk: Walk, row: RawRow, place: Place, report: Report): Omit<Qa, "id" | "question"> | undefined {
  const { golds, emptyCount = 0, problem } = rawGolds(row.answers);
  const flag = readFlag(row.isImpossible);
  if (problem !== undefined) return report("Shape", problem);
  if (typeof flag === "string") return report("Shape", flag);
  const isDev = walk.purpose === "dev";
  if (golds && golds.length > 0) {
    const contradiction = `is_impossible is true, yet it has answer ${quote(golds[0]?.text ?? "")}`;
    if (flag && !isDev) return report("UnexpectedAnswer", contradiction);
    if (flag) report("FlagAgainstAnswers", `${contradiction}: scored by its answers, as the official script does`);
    if (emptyCount > 0) report("EmptyAnswer", `${countOf(emptyCount, "answer")} without text, left out`);
    const answers = isDev ? devAnswers(walk, place, golds, report) : trainAnswers(walk, place, golds, report);
    return answers && { answers, is_impossible: false };
  }
  if (flag || (golds && flag === undefined)) {
    if (!flag && emptyCount > 0) walk.emptyAnswers++;
    return { answers: [], is_impossible: true, ...plausibleAnswers(row, place, report) };
  }
  if (!isDev) return report("MissingAnswer", `it has no answer; expected one, or "is_impossible": true`);
  // Nothing is said about answers: a question to be answered, not scored.
  if (!golds) return {};
  const what = "is_impossible is false, yet its answers are empty: scored as unanswerable, as the official script does";
  report("FlagAgainstAnswers", what);
  return { answers: [], is_impossible: true };
}

function trainAnswers(walk: Walk, place: Place, golds: readonly RawGold[], report: Report): Qa["answers"] {
  const placed = golds.map((gold) => ({ gold, ...place(gold) }));
  const usable = placed.filter(({ startCodePoint }) => startCodePoint !== undefined);
  if (usable.length === 0) return report("UnusableAnswer", placed[0]?.problem?.what ?? "");
  for (const { problem } of placed) if (problem) report(problem.kind, problem.what);
  walk.placedAnswers += usable.filter(({ gold }) => gold.start === undefined).length;
  return usable.map(({ text, startCodePoint }) => ({ text, answer_start: startCodePoint as number }));
}

/** Every text stays as the file has it, since scoring needs no more; a position only where the text stands there. */
function devAnswers(walk: Walk, place: Place, golds: readonly RawGold[], report: Report): Qa["answers"] {
  return golds.map((gold) => {
    const { text, startCodePoint, problem } = place(gold);
    if (problem) report(problem.kind, problem.what);
    else if (gold.start === undefined) walk.placedAnswers++;
    if (problem?.kind === "RespelledAnswer") return { text: gold.text, answer_start: noPlace };
    return { text, answer_start: startCodePoint ?? noPlace };
  });
}

function plausibleAnswers(row: RawRow, place: Place, report: Report): Pick<Qa, "plausible_answers"> {
  const { golds = [], problem } = rawGolds(row.plausibleAnswers);
  if (problem !== undefined) report("LostPlausible", problem);
  const usable = golds.flatMap((gold) => {
    const { text, startCodePoint, problem: lost } = place(gold);
    if (startCodePoint !== undefined) return [{ text, answer_start: startCodePoint }];
    return report("LostPlausible", lost?.what ?? "") ?? [];
  });
  return usable.length > 0 ? { plausible_answers: usable } : {};
}

/** Tokenizers written in C end at NUL; a lone surrogate has no UTF-8 and would come back as another character. */
function findTextProblem(texts: Readonly<Record<string, string | undefined>>): [ProblemKind, string] | undefined {
  for (const [key, text = "-"] of Object.entries(texts)) {
    if (key !== "title" && text.trim() === "") return ["EmptyText", `the ${key} is empty`];
    if (text.includes("\0")) return ["BadCharacter", `the ${key} holds a NUL character`];
    if (/\p{Surrogate}/u.test(text)) return ["BadCharacter", `the ${key} holds a lone surrogate`];
  }
  return undefined;
}

function recognizeUnits(rows: readonly RawRow[], passages: PassageCache): Walk["units"] {
  const files = [...new Set(rows.map(({ file }) => file))];
  const unitOf = (file: string | undefined) =>
    recognizeUnit(
      rows.filter((row) => row.file === file),
      passages,
    );
  return new Map(files.map((file) => [file, unitOf(file)]));
}

/**
 * What the file's offsets count. Only answers that stand at one reading of their offset and not at the other tell: where
 * some stand there in UTF-16 units (or bytes) alone, and none in code points alone, the file counts those.
 */
function recognizeUnit(rows: readonly RawRow[], passages: PassageCache): OffsetUnit {
  const others = ["UTF-16 units", "bytes"] as const;
  const votes = { "UTF-16 units": { pro: 0, contra: 0 }, bytes: { pro: 0, contra: 0 } };
  for (const { context, answers } of rows) {
    if (typeof context !== "string") continue;
    const passage = passages.of(context);
    if (passage.isAscii) continue;
    for (const { text, start } of rawGolds(answers).golds ?? []) {
      if (start === undefined) continue;
      const inCodePoints = standsAt(passage, text, start, "code points");
      for (const unit of others) {
        if (standsAt(passage, text, start, unit) === inCodePoints) continue;
        votes[unit][inCodePoints ? "contra" : "pro"]++;
      }
    }
  }
  const [best] = others
    .filter((unit) => votes[unit].pro > 0 && votes[unit].contra === 0)
    .sort((a, b) => votes[b].pro - votes[a].pro);
  return best ?? "code points";
}

/** Questions on one passage follow each other: its positions are counted once. */
class PassageCache {
  #last: Passage | undefined;

  of(context: string): Passage {
    if (this.#last?.text !== context) this.#last = new Passage(context);
    return this.#last;
  }
}

function whereOf({ id, title, place }: RawRow): string {
  const name =
    typeof id === "string" || typeof id === "number" ? `question ${quote(String(id))}` : "question without id";
  const article = typeof title === "string" && title !== "" ? ` of ${quote(title)}` : "";
  return `${name}${article} (${place})`;
}

function regroup(rows: readonly RawRow[], kept: readonly (Kept | undefined)[]): SquadFile["data"] {
  const articles = new Map<number, SquadFile["data"][number]>();
  const passages = new Map<string, Qa[]>();
  kept.forEach((row, index) => {
    if (!row) return;
    const raw = rows[index] as RawRow;
    const key = passageKey(raw);
    const known = passages.get(key);
    if (known) return void known.push(row.qa);
    const article = articles.get(raw.article) ?? {
      ...(row.title === undefined ? {} : { title: row.title }),
      paragraphs: [],
    };
    const qas = [row.qa];
    article.paragraphs.push({ context: row.context, qas });
    articles.set(raw.article, article);
    passages.set(key, qas);
  });
  return [...articles.values()];
}
