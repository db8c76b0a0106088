import swagger from "@fastify/swagger";
import { HttpProblem, workSignal, type HttpService } from "@bertqa/http";
import { countCodePoints } from "@bertqa/squad";
import type { FastifyInstance, FastifyReply } from "fastify";
import {
  jsonSchemaTransform,
  serializerCompiler,
  validatorCompiler,
  type ZodTypeProvider,
} from "fastify-type-provider-zod";
import { z } from "zod";
import { rankAnswers, type PassageIndex } from "../cli/documents.ts";
import type { ApiLimits, QueueLimits } from "../limits.ts";
import type { QuestionAnswer, QuestionInput } from "../question-answering.ts";
import { Admission } from "./admission.ts";
import { InputError, type AnswerEngine } from "./engine.ts";
import { apiSchemas, bodyProblems, commonProblems, openProblems, problem, responses } from "./schemas.ts";

export interface Api {
  /** Answers by this model from now on; by none, as before the first, where it is undefined. */
  use(engine: AnswerEngine | undefined): void;
}

export interface ApiOptions {
  /** The model's name, for `/v1/model`. */
  readonly name: string;
  readonly limits: ApiLimits;
  readonly queue: QueueLimits;
  readonly documents?: PassageIndex | undefined;
  /** Whether the server asks for tokens: the description says so. */
  readonly hasTokens?: boolean;
}

/** The scope that questions ask for where the server has tokens. */
export const askScope = "ask";

/**
 * Adds `/v1/answers`, `/v1/search` where there are documents, `/v1/model`, and `/openapi.json`, which describes them.
 *
 * @returns what takes the model, once it is loaded
 */
export async function addApi(service: HttpService, options: ApiOptions): Promise<Api> {
  const { app } = service;
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(serializerCompiler);
  await describeApi(app, options.hasTokens ?? false);
  let engine: AnswerEngine | undefined;
  const loadedEngine = () => {
    if (engine) return engine;
    throw new HttpProblem(503, "not_ready", "The model is not loaded yet.", { retryAfterSeconds: 1 });
  };
  const admission = new Admission(options.queue, service);
  const answer = async (inputs: readonly QuestionInput[], reply: FastifyReply) => {
    const loaded = loadedEngine();
    const signal = workSignal(reply);
    try {
      return await admission.run(inputs, (onProgress) => loaded.answer(inputs, { signal, onProgress }));
    } catch (error) {
      throw error instanceof InputError ? new HttpProblem(422, "unanswerable", error.message) : error;
    }
  };
  addAnswers(app, options.limits, answer);
  if (options.documents) addSearch(app, options.limits, options.documents, answer);
  addModel(app, options, loadedEngine);
  return {
    use: (given) => {
      engine = given;
      if (engine) engine.onRun = (record) => admission.observe(record);
    },
  };
}

type Answer = (inputs: readonly QuestionInput[], reply: FastifyReply) => Promise<readonly QuestionAnswer[]>;

function addAnswers(app: FastifyInstance, limits: ApiLimits, answer: Answer): void {
  const { answersRequest, answersResponse } = apiSchemas(limits);
  app.withTypeProvider<ZodTypeProvider>().route({
    method: "POST",
    url: "/v1/answers",
    config: { scope: askScope },
    schema: {
      summary: "Answers questions, each from its passage",
      operationId: "answer",
      body: answersRequest,
      response: responses(answersResponse, bodyProblems),
    },
    // Counted before each of a million is looked at.
    preValidation: (request, _reply, done) => {
      const { questions } = (request.body ?? {}) as { questions?: unknown };
      if (Array.isArray(questions) && questions.length > limits.questions) {
        const detail = `The request has ${questions.length} questions, more than ${limits.questions}.`;
        throw new HttpProblem(422, "too_many_questions", detail);
      }
      done();
    },
    handler: async (request, reply) => {
      const { questions, topK } = request.body;
      const characters = questions.reduce((sum, { context }) => sum + countCodePoints(context), 0);
      if (characters > limits.requestCharacters) {
        const detail = `The passages have ${characters} characters together, more than ${limits.requestCharacters}.`;
        throw new HttpProblem(422, "passages_too_long", detail);
      }
      const inputs = questions.map(({ question, context }) => ({ question, context, topK }));
      const answers = await answer(inputs, reply);
      return {
        answers: answers.map((each, i) => {
          const { id, question } = questions[i]!;
          return { ...(id !== undefined && { id }), question, ...each };
        }),
      };
    },
  });
}

function addSearch(app: FastifyInstance, limits: ApiLimits, documents: PassageIndex, answer: Answer): void {
  const { searchRequest, searchResponse } = apiSchemas(limits);
  app.withTypeProvider<ZodTypeProvider>().route({
    method: "POST",
    url: "/v1/search",
    config: { scope: askScope },
    schema: {
      summary: "Finds the passages of the documents that share most with a question, and answers from them",
      operationId: "search",
      body: searchRequest,
      response: responses(searchResponse, bodyProblems),
    },
    handler: async (request, reply) => {
      const { id, question, passages: count, topK } = request.body;
      const passages = documents.search(question, count);
      const inputs = passages.map(({ text: context }) => ({ question, context }));
      const answers = inputs.length === 0 ? [] : await answer(inputs, reply);
      return {
        ...(id !== undefined && { id }),
        question,
        answers: rankAnswers(passages, answers, topK).map((found) => ({
          answer: found.text,
          score: found.score,
          noAnswerProbability: found.noAnswerProbability,
          file: found.passage.file,
          line: found.line,
          passage: found.passage.text,
          span: { codePoints: found.codePoints, utf16: found.utf16 },
        })),
        passagesRead: passages.length,
      };
    },
  });
}

function addModel(
  app: FastifyInstance,
  { name, limits, documents }: ApiOptions,
  loadedEngine: () => AnswerEngine,
): void {
  app.route({
    method: "GET",
    url: "/v1/model",
    config: { scope: askScope },
    schema: {
      summary: "The model, its limits, and how its threshold was chosen",
      operationId: "model",
      response: responses(apiSchemas(limits).modelResponse, commonProblems),
    },
    handler: () => {
      const { precision, runtime, decision } = loadedEngine().model;
      const { kind, questions, text, rule } = decision.threshold.basis;
      return {
        ...{ name, precision, runtime, window: decision.window, maxAnswerTokens: decision.maxAnswerTokens },
        noAnswerAllowed: decision.noAnswerAllowed,
        threshold: { nullOdds: decision.threshold.nullOdds, basis: { kind, questions, text, rule } },
        limits,
        documents: documents ? { files: documents.fileCount, passages: documents.passageCount } : null,
      };
    },
  });
}

/** OpenAPI 3.1, whose schemas are JSON Schema 2020-12, as zod writes it. */
async function describeApi(app: FastifyInstance, hasTokens: boolean): Promise<void> {
  await app.register(swagger, {
    openapi: {
      openapi: "3.1.0",
      info: {
        title: "bertqa",
        version: "1",
        description: "Answers questions from text with a fine-tuned BERT. Errors are problem details (RFC 9457).",
        license: { name: "Apache-2.0", identifier: "Apache-2.0" } as { name: string },
      },
      ...(hasTokens && {
        components: { securitySchemes: { token: { type: "http", scheme: "bearer" } } },
        security: [{ token: [] }],
      }),
    },
    transform: jsonSchemaTransform,
    transformObject: (document) => {
      if (!("openapiObject" in document)) return document.swaggerObject;
      const { openapiObject } = document;
      return { ...openapiObject, paths: { ...openapiObject.paths, ...statePaths() } } as typeof openapiObject;
    },
  });
  app.get("/openapi.json", { schema: { hide: true } }, () => app.swagger());
}

/** The addresses that every service has; they were there before the description. */
function statePaths() {
  const problemSchema = z.toJSONSchema(problem);
  delete problemSchema.$schema;
  const refused = { description: "Refused", content: { "application/problem+json": { schema: problemSchema } } };
  const answered = (mediaType: string, schema: object) => ({ description: "OK", content: { [mediaType]: { schema } } });
  const status = { type: "object", properties: { status: { type: "string" } }, required: ["status"] };
  const get = (operationId: string, summary: string, success: object, statuses: readonly number[], open = {}) => ({
    get: {
      operationId,
      summary,
      ...open,
      responses: { 200: success, ...Object.fromEntries(statuses.map((each) => [each, refused])) },
    },
  });
  const json = answered("application/json", status);
  const open = { security: [] };
  return {
    "/healthz": get("health", "Whether the server runs", json, openProblems, open),
    "/readyz": get("ready", "Whether the model is loaded and the server is not stopping", json, openProblems, open),
    "/metrics": get("metrics", "For Prometheus", answered("text/plain", { type: "string" }), commonProblems),
  };
}
