import { BertqaError, countOf, printable } from "@bertqa/squad";
import MiniSearch from "minisearch";
import type { Dirent } from "node:fs";
import { readdir } from "node:fs/promises";
import { extname, join, relative } from "node:path";
import { documentBytes } from "../limits.ts";
import { isFolder } from "../load-parts.ts";
import type { Candidate, QuestionAnswer } from "../question-answering.ts";
import { readTextFile } from "./input.ts";

/** A part of a document that is read in one go. */
export interface Passage {
  readonly id: number;
  /** Relative to the folder searched. */
  readonly file: string;
  /** Line of the file that it starts on, from 1. */
  readonly firstLine: number;
  readonly text: string;
}

const extensions: ReadonlySet<string> = new Set([".txt", ".md", ".markdown"]);
/** Paragraphs are joined up to this, and cut at it, in UTF-16 units: about two windows. */
const passageCharacters = 2000;

/**
 * Reads all text and Markdown files under a folder, hidden ones and node_modules left out. Symbolic links are not followed: they
 * may lead elsewhere, or in a circle.
 *
 * @param note told in a line of links that were left out
 * @param mostBytes of all files together
 * @throws BertqaError if the folder is none, holds no such file or too much of them, or a part of it cannot be read
 */
export async function readDocuments(
  folder: string,
  { note = () => {}, mostBytes = documentBytes }: { note?: (line: string) => void; mostBytes?: number } = {},
): Promise<Passage[]> {
  if (!(await isFolder(folder))) throw new BertqaError("bertqa", `there is no folder ${folder}`);
  const { files, links } = await listDocuments(folder);
  if (files.length === 0) {
    const remedy = "Symbolic links are not followed: give the folder that they lead to";
    const problem = `${folder} holds no ${[...extensions].join(", ")} file`;
    throw new BertqaError("bertqa", problem, links.length > 0 ? { remedy } : {});
  }
  if (links.length > 0) {
    note(`left out: ${countOf(links.length, "symbolic link")} among the documents, such as ${printable(links[0]!)}`);
  }
  const passages: Passage[] = [];
  let bytesLeft = mostBytes;
  for (const file of files) {
    const text = await readTextFile(join(folder, file), "a document", bytesLeft);
    if (text === undefined) {
      const problem = `the documents are longer than ${mostBytes / 1024 ** 2} MiB together`;
      throw new BertqaError("bertqa", problem, {
        remedy: "Search a folder that holds less",
        where: join(folder, file),
      });
    }
    bytesLeft -= Buffer.byteLength(text);
    for (const part of passagesOf(text)) passages.push({ ...part, id: passages.length, file });
  }
  return passages;
}

/** Files, and links to what might be read, relative to the folder and in order. */
async function listDocuments(folder: string): Promise<{ files: string[]; links: string[] }> {
  const [files, links]: [string[], string[]] = [[], []];
  for (const entry of await entriesUnder(folder)) {
    const path = join(entry.parentPath, entry.name);
    const file = relative(folder, path);
    if (file.split(/[/\\]/).some((part) => part.startsWith(".") || part === "node_modules")) continue;
    const isText = extensions.has(extname(file).toLowerCase());
    if (entry.isFile() && isText) files.push(file);
    if (entry.isSymbolicLink() && (isText || (await isFolder(path)))) links.push(file);
  }
  return { files: files.sort(), links: links.sort() };
}

async function entriesUnder(folder: string): Promise<Dirent[]> {
  try {
    return await readdir(folder, { recursive: true, withFileTypes: true });
  } catch (cause) {
    const problem = `the documents cannot be read: ${(cause as Error).message}`;
    throw new BertqaError("bertqa", problem, { where: folder, cause });
  }
}

/** Cuts a text into passages of at most {@link passageCharacters}: between paragraphs, and within one that is longer. */
export function passagesOf(text: string): Pick<Passage, "firstLine" | "text">[] {
  const passages: { firstLine: number; text: string }[] = [];
  let line = 1;
  let open: { firstLine: number; text: string } | undefined;
  for (const part of text.split(/(\n[^\S\n]*\n+)/).flatMap(cutLong)) {
    if (open && open.text.length + part.length <= passageCharacters) open.text += part;
    else {
      // A gap that does not fit ends the passage: what follows it must not be glued to what is before.
      open = part.trim() === "" ? undefined : { firstLine: line, text: part };
      if (open) passages.push(open);
    }
    line += part.split("\n").length - 1;
  }
  return passages;
}

/** Cuts after the last line that fits, else after the last word. */
function cutLong(paragraph: string): string[] {
  const parts: string[] = [];
  let rest = paragraph;
  while (rest.length > passageCharacters) {
    const most = rest.slice(0, passageCharacters);
    const end = /^[^]*\n/.exec(most)?.[0].length ?? /^[^]*\s/.exec(most)?.[0].length ?? mostCodePoints(most);
    parts.push(rest.slice(0, end));
    rest = rest.slice(end);
  }
  return [...parts, rest];
}

/** Length without half a surrogate pair at the end. */
function mostCodePoints(text: string): number {
  return /[\ud800-\udbff]$/.test(text) ? text.length - 1 : text.length;
}

/**
 * The words of a text as they are searched for: without letter case, accents and characters that are not seen, as an uncased BERT
 * reads them, and parted by everything but letters and digits. Each Chinese character is a word, as it is to BERT.
 */
export function wordsOf(text: string): string[] {
  const plain = text.normalize("NFKD").replace(/[\p{Mn}\p{Cf}]/gu, "");
  return plain.toLowerCase().match(/\p{Script=Han}|(?:(?!\p{Script=Han})[\p{L}\p{N}\p{Mc}])+/gu) ?? [];
}

/** A search looks at so many places where a word of the question stands, some 0.2 s: it runs in the thread that serves. */
const mostPlaces = 100_000;

/** Finds passages for a question by BM25. */
export class PassageIndex {
  readonly #passages: readonly Passage[];
  readonly #index: MiniSearch<Passage>;
  /** In how many passages a word stands. */
  readonly #passagesWith = new Map<string, number>();

  constructor(passages: readonly Passage[]) {
    this.#passages = passages;
    const countedWords = (text: string) => {
      const words = wordsOf(text);
      for (const word of new Set(words)) this.#passagesWith.set(word, (this.#passagesWith.get(word) ?? 0) + 1);
      return words;
    };
    const searchOptions = { tokenize: wordsOf };
    this.#index = new MiniSearch({
      fields: ["text"],
      tokenize: countedWords,
      processTerm: (word) => word,
      searchOptions,
    });
    this.#index.addAll(passages);
  }

  get passageCount(): number {
    return this.#passages.length;
  }

  get fileCount(): number {
    return new Set(this.#passages.map(({ file }) => file)).size;
  }

  /** The passages that share most with the question, best first; of those with one text the first, which would answer alike. */
  search(question: string, count: number): Passage[] {
    const found = new Map<string, Passage>();
    for (const { id } of this.#index.search(this.#telling(wordsOf(question)).join(" "))) {
      const passage = this.#passages[id as number]!;
      const text = passage.text.trim();
      if (!found.has(text)) found.set(text, passage);
      if (found.size === count) break;
    }
    return [...found.values()];
  }

  /** Each word once, the rarest first, as far as {@link mostPlaces} reaches: the commonest tell least and cost most. */
  #telling(words: readonly string[]): string[] {
    const known = [...new Set(words)].flatMap((word) => {
      const passages = this.#passagesWith.get(word);
      return passages === undefined ? [] : [{ word, passages }];
    });
    let places = 0;
    return known
      .sort((a, b) => a.passages - b.passages)
      .filter(({ passages }, i) => (places += passages) <= mostPlaces || i === 0)
      .map(({ word }) => word);
  }
}

/** An answer found in documents. */
export interface FoundAnswer extends Candidate {
  /** Probability, 0 to 1, that this passage holds no answer. */
  readonly noAnswerProbability: number;
  readonly passage: Passage;
  /** Line of the file that the answer stands on, from 1. */
  readonly line: number;
}

/** Puts the best span of each passage in order, most probable first: `answers` are those of the passages, in their order. */
export function rankAnswers(
  passages: readonly Passage[],
  answers: readonly QuestionAnswer[],
  count: number,
): FoundAnswer[] {
  return answers
    .flatMap(({ candidates, noAnswerProbability }, i) => {
      const [best] = candidates;
      const passage = passages[i]!;
      if (!best) return [];
      const line = passage.firstLine + passage.text.slice(0, best.utf16[0]).split("\n").length - 1;
      return [{ ...best, noAnswerProbability, passage, line }];
    })
    .sort((a, b) => b.score - a.score)
    .slice(0, count);
}
