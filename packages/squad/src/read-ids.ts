import { readName } from "./read-answers.ts";
import { quote } from "./read-places.ts";
import type { ProblemKind } from "./read-problems.ts";

/** An id, or what is wrong with it; `problem` beside an id says how it was read. */
export interface ReadId {
  readonly id?: string;
  readonly problem?: { readonly kind: ProblemKind; readonly what: string };
}

/**
 * Gives each row of a split an id of its own, since predictions are keyed by id. A row without one is named by its place;
 * a repeated id is refused in dev, where scores are by id, and numbered in train.
 */
export class IdRegister {
  madeIds = 0;
  /** Ids of the whole file, so that no made id meets one that stands further down. */
  readonly #inFile: ReadonlySet<string>;
  /** Where each id was used first. */
  readonly #used = new Map<string, string>();
  readonly #isDev: boolean;

  constructor(ids: readonly unknown[], isDev: boolean) {
    this.#inFile = new Set(ids.map((id) => readName("id", id)).filter((id) => typeof id === "string"));
    this.#isDev = isDev;
  }

  take(value: unknown, place: string): ReadId {
    const id = readName("id", value);
    if (id instanceof Error) return { problem: { kind: "Shape", what: id.message } };
    if (id === undefined) {
      this.madeIds++;
      return { id: this.#useNew(place, place) };
    }
    if (id.trim() === "") return { problem: { kind: "EmptyText", what: "the id is empty" } };
    // JavaScript's objects keep this key for themselves.
    if (id === "__proto__") {
      return { problem: { kind: "BadId", what: `the id ${quote(id)} cannot be a key of predictions.json` } };
    }
    const firstUse = this.#used.get(id);
    if (firstUse === undefined) {
      this.#used.set(id, place);
      return { id };
    }
    const repeated = `its id is also that of ${firstUse}`;
    if (this.#isDev) return { problem: { kind: "DuplicateId", what: repeated } };
    const numbered = this.#useNew(id, place);
    return { id: numbered, problem: { kind: "RepeatedId", what: `${repeated}: read as ${quote(numbered)}` } };
  }

  readonly #lastNumbers = new Map<string, number>();

  #useNew(base: string, place: string): string {
    let number = this.#lastNumbers.get(base) ?? 1;
    let id = base;
    while (this.#inFile.has(id) || this.#used.has(id)) id = `${base}#${++number}`;
    this.#lastNumbers.set(base, number);
    this.#used.set(id, place);
    return id;
  }
}
