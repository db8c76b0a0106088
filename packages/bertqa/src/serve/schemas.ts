import { z } from "zod";
import type { ApiLimits } from "../limits.ts";

/** Most candidates that a client may ask for. */
const mostCandidates = 20;

/** A text that may be so long, in code points. */
function text(most: number, description: string) {
  return z.string().max(most, `is longer than ${most} characters`).describe(description);
}

/** An array rather than a tuple: not every reader of OpenAPI knows `prefixItems`. */
const range = z.array(z.int().nonnegative()).length(2);
const probability = z.number().min(0).max(1);
const places = {
  codePoints: range.describe("In code points, as Python and SQuAD count; end exclusive"),
  utf16: range.describe("In UTF-16 units, as JavaScript slices; end exclusive"),
};
const topK = z.int().min(1).max(mostCandidates).default(1).describe("Spans to return for a question");
const id = z
  .union([z.string().max(200), z.int()], "is neither a text of at most 200 characters nor a whole number")
  .describe("Given back with the answer");

const candidate = z.strictObject({
  text: z.string(),
  score: probability.describe("Probability that this is the answer"),
  ...places,
});

const answer = z.strictObject({
  id: id.optional(),
  question: z.string(),
  answer: z.string().describe('As it stands in the passage; "" where the model says that there is none'),
  score: probability.describe('Probability of what is given: of the answer, or of "no answer"'),
  noAnswerProbability: probability.describe("Probability that the passage holds no answer"),
  nullOdds: z
    .number()
    .describe("Score of no answer minus the best answer's, in logits; the threshold is held against it"),
  span: z.strictObject(places).nullable().describe("Where the answer stands; null for no answer"),
  candidates: z.array(candidate).describe("The best topK spans, best first, whatever is given"),
  windowCount: z.int().positive().describe("Windows that the passage was cut into"),
});

const found = z.strictObject({
  answer: z.string(),
  score: probability.describe("Probability that this is the answer, as far as its passage goes"),
  noAnswerProbability: probability.describe("Probability that its passage holds no answer"),
  file: z.string().describe("Relative to the folder of documents"),
  line: z.int().positive().describe("Line of the file that the answer stands on, from 1"),
  passage: z.string().describe("The passage that was read"),
  span: z.strictObject(places).describe("Where the answer stands in the passage"),
});

const basis = z.strictObject({
  kind: z.enum(["tune", "dev", "nothing"]),
  questions: z.int().nonnegative(),
  text: z.string(),
  rule: z.string(),
});

/** RFC 9457. */
export const problem = z
  .strictObject({
    type: z.literal("about:blank"),
    title: z.string(),
    status: z.int().min(400).max(599),
    code: z.string().describe("For programs"),
    detail: z.string(),
    requestId: z.string().optional(),
    errors: z.array(z.strictObject({ pointer: z.string(), detail: z.string() })).optional(),
  })
  .describe("RFC 9457");

const statusTexts: Readonly<Record<number, string>> = {
  401: "No token, or an unknown one",
  403: "The token does not open this",
  400: "Not valid JSON or not valid HTTP",
  408: "The request took too long to arrive",
  413: "The body is too large",
  414: "The address is too long",
  415: "The body is not JSON in UTF-8",
  417: "Expect asks for something else than 100-continue",
  421: "Not a host name of this server",
  422: "The body does not have this form, or its texts are too long",
  429: "Too much waits; Retry-After says for how many seconds",
  431: "The header fields are too large",
  503: "The model is not loaded yet, the answer took too long, or the server is stopping",
};

/** Responses for OpenAPI: the success, and problems of these statuses. */
export function responses(success: z.ZodType, statuses: readonly number[]): Record<string, unknown> {
  const problems = statuses.map((status) => [
    String(status),
    { description: statusTexts[status] ?? "Refused", content: { "application/problem+json": { schema: problem } } },
  ]);
  return Object.fromEntries([["200", success], ...problems]) as Record<string, unknown>;
}

/** Every address may refuse so, one without a token too. */
export const openProblems = [400, 408, 414, 417, 421, 431, 503] as const;
export const commonProblems = [...openProblems, 401, 403] as const;
export const bodyProblems = [...commonProblems, 413, 415, 422, 429] as const;

/** The bodies of the API. They are the source of its OpenAPI description, too. */
export function apiSchemas(limits: ApiLimits) {
  const questionText = text(limits.questionCharacters, "The question").regex(/\S/, "is blank");
  return {
    answersRequest: z.strictObject({
      questions: z
        .array(
          z.strictObject({
            id: id.optional(),
            question: questionText,
            context: text(limits.passageCharacters, "The passage that is read"),
          }),
        )
        .min(1)
        .max(limits.questions),
      topK,
    }),
    answersResponse: z.strictObject({ answers: z.array(answer).describe("In the order of the questions") }),
    searchRequest: z.strictObject({
      id: id.optional(),
      question: questionText,
      passages: z.int().min(1).max(20).default(8).describe("Passages to read"),
      topK,
    }),
    searchResponse: z.strictObject({
      id: id.optional(),
      question: z.string(),
      answers: z.array(found).describe("The best span of each passage, most probable first"),
      passagesRead: z.int().nonnegative(),
    }),
    modelResponse: z.strictObject({
      name: z.string(),
      precision: z.enum(["int8", "float32"]),
      runtime: z.string(),
      window: z.strictObject({
        maxTokens: z.int(),
        windowOverlapTokens: z.int(),
        maxQuestionTokens: z.int(),
      }),
      maxAnswerTokens: z.int(),
      noAnswerAllowed: z.boolean(),
      threshold: z
        .strictObject({ nullOdds: z.number(), basis })
        .describe("No answer is given where the null odds are above"),
      limits: z.strictObject({
        questions: z.int(),
        questionCharacters: z.int(),
        passageCharacters: z.int(),
        requestCharacters: z.int(),
      }),
      documents: z
        .strictObject({ files: z.int(), passages: z.int() })
        .nullable()
        .describe("What /v1/search searches; null where there is none"),
    }),
  };
}
