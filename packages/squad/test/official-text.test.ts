import { SeededRandom } from "./support/random.ts";
import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { normalizedTokens, scoreAnswer } from "../src/index.ts";
import { hostileText, randomText } from "./support/hostile.ts";
import { literalExact, literalF1, literalTokens } from "./support/literal-evaluator.ts";

interface Fixture {
  readonly strings: readonly { readonly text: string; readonly tokens: readonly string[] }[];
}
const fixture = JSON.parse(readFileSync(new URL("fixtures/official-strings.json", import.meta.url), "utf8")) as Fixture;

const textsOf = (texts: readonly string[]) => texts.map((text) => ({ text }));

test("hostile texts have the tokens that Python's evaluator gives them", () => {
  expect(fixture.strings.length).toBeGreaterThan(400);
  for (const { text, tokens } of fixture.strings) {
    expect(normalizedTokens(text), JSON.stringify(text)).toEqual(tokens);
  }
});

test("10,000 random and hostile texts have the tokens that a literal implementation gives them", () => {
  const random = new SeededRandom(1);
  for (let i = 0; i < 10_000; i++) {
    const text = i % 2 === 0 ? hostileText(random) : randomText(random);
    expect(normalizedTokens(text), JSON.stringify(text)).toEqual(literalTokens(text));
  }
});

test("10,000 random answers score as in a literal implementation", () => {
  const random = new SeededRandom(2);
  for (let i = 0; i < 10_000; i++) {
    const gold = Array.from({ length: random.integerBelow(4) }, () => hostileText(random));
    const answer =
      gold[0] !== undefined && random.integerBelow(3) === 0 ? `${gold[0]} ${hostileText(random)}` : hostileText(random);
    const kept = gold.filter((text) => literalTokens(text).length > 0);
    const against = kept.length > 0 ? kept : [""];
    const expected = {
      exact: Math.max(...against.map((text) => literalExact(text, answer))),
      f1: Math.max(...against.map((text) => literalF1(text, answer))),
    };
    expect(scoreAnswer(textsOf(gold), answer), JSON.stringify({ gold, answer })).toEqual(expected);
  }
});

test("F1 counts a repeated token once for each time that both sides have it", () => {
  // Gold "new york new" and answer "new new new": 2 tokens in common, precision 2/3, recall 2/3 → F1 2/3.
  expect(scoreAnswer(textsOf(["New York, New"]), "new new new")).toEqual({
    exact: 0,
    f1: (2 * (2 / 3) * (2 / 3)) / (4 / 3),
  });
});

test("gold answers that normalise to nothing are dropped; where none is left, only silence is right", () => {
  expect(scoreAnswer(textsOf(["the", "house"]), "an")).toEqual({ exact: 0, f1: 0 });
  expect(scoreAnswer(textsOf(["the", "..."]), "an")).toEqual({ exact: 1, f1: 1 });
  expect(scoreAnswer(textsOf([]), "")).toEqual({ exact: 1, f1: 1 });
  expect(scoreAnswer(textsOf([]), "word")).toEqual({ exact: 0, f1: 0 });
});
