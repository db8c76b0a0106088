import { hashToken } from "@bertqa/http";
import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js";
import addFormats from "ajv-formats";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { uniformInt } from "pure-rand/distribution/uniformInt";
import { xoroshiro128plus } from "pure-rand/generator/xoroshiro128plus";
import { afterAll, beforeAll, expect, test } from "vitest";
import { openSharedServer, passage, post, startServer } from "./serve-support.ts";

interface Description {
  readonly openapi: string;
  readonly paths: Record<string, Record<string, Operation>>;
}
interface Operation {
  readonly responses: Record<string, { content: Record<string, { schema: object }> }>;
  readonly requestBody?: { content: Record<string, { schema: object }> };
}

let server: Awaited<ReturnType<typeof openSharedServer>>;
let documents: string;
let description: Description;
const schemas = new Map<object, ValidateFunction>();

beforeAll(async () => {
  documents = await mkdtemp(join(tmpdir(), "bertqa-documents-"));
  await mkdir(join(documents, "notes"));
  await writeFile(join(documents, "notes/ada.md"), "Ada wrote the program.\n\nWhere is it?\n");
  server = await openSharedServer({ documents, limitsOfApi: { passageCharacters: 2000 } });
  description = (await (await fetch(`${server.address}/openapi.json`)).json()) as Description;
});
afterAll(async () => {
  await server.stop();
  await rm(documents, { recursive: true });
});

/** Every response is held against the description: its status, its type, its body. */
async function holds(method: string, path: string, response: Response): Promise<string | undefined> {
  const text = await response.text();
  const described = description.paths[path]?.[method.toLowerCase()]?.responses[response.status];
  if (!described) return `${method} ${path} gave ${response.status}, which is not described: ${text}`;
  const type = response.headers.get("content-type")!.split(";")[0]!;
  const schema = described.content[type]?.schema;
  if (!schema) return `${method} ${path} gave ${type} for ${response.status}, which is not described`;
  const body: unknown = type.endsWith("json") ? JSON.parse(text) : text;
  const validate = validatorOf(schema);
  return validate(body)
    ? undefined
    : `${method} ${path} ${response.status}: ${JSON.stringify(validate.errors)} in ${text}`;
}

function validatorOf(schema: object): ValidateFunction {
  const known = schemas.get(schema);
  if (known) return known;
  const ajv = new Ajv2020({ strict: true, strictTuples: false, allErrors: true });
  addFormats.default(ajv);
  const made = ajv.compile(schema);
  schemas.set(schema, made);
  return made;
}

test("the description is OpenAPI 3.1 with every address, and its schemas are strict JSON Schema", () => {
  expect(description.openapi).toBe("3.1.0");
  expect(Object.keys(description.paths).sort()).toEqual([
    "/healthz",
    "/metrics",
    "/readyz",
    "/v1/answers",
    "/v1/model",
    "/v1/search",
  ]);
  // Not every reader of OpenAPI knows tuples; schemathesis turns them into what 3.1 forbids.
  expect(JSON.stringify(description)).not.toContain("prefixItems");
  for (const operations of Object.values(description.paths)) {
    for (const { requestBody, responses } of Object.values(operations)) {
      const parts = [...Object.values(responses), ...(requestBody ? [requestBody] : [])];
      for (const { content } of parts) for (const { schema } of Object.values(content)) validatorOf(schema);
    }
  }
});

test("a server that asks for tokens says so, and for which addresses", async () => {
  const tokens = [{ sha256: hashToken("a-token-of-more-than-22-characters"), scopes: ["ask"] }];
  const { address } = await startServer({ tokens });
  interface Secured {
    readonly security?: unknown;
    readonly paths: Record<string, Record<string, { security?: unknown }>>;
  }
  const described = (await (await fetch(`${address}/openapi.json`)).json()) as Secured;
  expect(described.security).toEqual([{ token: [] }]);
  for (const [path, operations] of Object.entries(described.paths)) {
    const [[method, { security }]] = Object.entries(operations) as [[string, { security?: unknown[] }]];
    const { status } = await fetch(address + path, { method });
    expect([path, status === 401]).toEqual([path, security === undefined]);
  }
  expect(description).not.toHaveProperty("security");
});

test.each(["/healthz", "/readyz", "/metrics", "/v1/model"])("GET %s answers as described", async (path) => {
  expect(await holds("GET", path, await fetch(server.address + path))).toBeUndefined();
});

test("an address and header fields that are too long are refused as described, at every address", async () => {
  const headers = { "x-long": "x".repeat(20_000) };
  for (const [path, operations] of Object.entries(description.paths)) {
    const method = Object.keys(operations)[0]!.toUpperCase();
    const long = await fetch(`${server.address}${path}?${"x".repeat(3000)}`, { method });
    expect([long.status, await holds(method, path, long)]).toEqual([414, undefined]);
    const wide = await fetch(server.address + path, { method, headers });
    expect([wide.status, await holds(method, path, wide)]).toEqual([431, undefined]);
  }
});

/** Values that a client may send where another is wanted. */
const oddities = [
  null,
  true,
  0,
  -1,
  1.5,
  1e308,
  "",
  " ",
  "x".repeat(2500),
  "\u0000",
  "\ud800",
  "\u{1f600}",
  [],
  {},
  [[]],
];

test("a thousand requests, some as described and some not, are answered as described", async () => {
  const random = xoroshiro128plus(20261125);
  const below = (count: number) => uniformInt(random, 0, count - 1);
  const pick = <T>(values: readonly T[]) => values[below(values.length)]!;
  const maybe = (value: unknown) => (below(12) === 0 ? pick(oddities) : value);
  const text = () =>
    Array.from({ length: 1 + below(12) }, () => pick(["Ada", "wrote", "it", "1843", "𝒳", "é", "?", "\n"])).join(" ");
  const extra = () => (below(25) === 0 ? { [pick(["x", "constructor", "toString", ""])]: pick(oddities) } : {});
  const answersBody = () => ({
    questions: maybe(
      Array.from({ length: 1 + below(3) }, () =>
        maybe({
          ...(below(2) === 0 && { id: maybe(pick(["a", 7])) }),
          question: maybe(text()),
          context: maybe(pick([passage, text(), ""])),
          ...extra(),
        }),
      ),
    ),
    ...(below(3) === 0 && { topK: maybe(1 + below(20)) }),
    ...extra(),
  });
  const searchBody = () => ({
    question: maybe(text()),
    ...(below(3) === 0 && { passages: maybe(1 + below(20)) }),
    ...extra(),
  });
  const broken = (body: string) =>
    below(20) === 0
      ? body.slice(0, below(body.length))
      : below(30) === 0
        ? body.replace("{", '{"__proto__":{},')
        : body;

  const problems: string[] = [];
  const statuses = new Map<number, number>();
  const ask = async () => {
    const path = pick(["/v1/answers", "/v1/answers", "/v1/search"]);
    const body = path === "/v1/answers" ? answersBody() : searchBody();
    const sent = broken(JSON.stringify(body));
    const isValid = validatorOf(description.paths[path]!["post"]!.requestBody!.content["application/json"]!.schema);
    const response = await post(server.address, path, sent, below(40) === 0 ? { "content-type": "text/plain" } : {});
    const { status } = response;
    statuses.set(status, (statuses.get(status) ?? 0) + 1);
    const problem = await holds("POST", path, response);
    if (problem !== undefined) problems.push(problem);
    // What the description allows is taken, and what it does not allow is not.
    if (sent === JSON.stringify(body) && status !== 415) {
      const isAllowed = isValid(JSON.parse(sent));
      if (isAllowed !== (status === 200))
        problems.push(`${path} gave ${status} for ${isAllowed ? "a valid" : "an invalid"} ${sent}`);
    }
  };
  for (let round = 0; round < 125; round += 1) await Promise.all(Array.from({ length: 8 }, ask));
  expect(problems).toEqual([]);
  expect([...statuses.keys()].sort()).toEqual([200, 400, 415, 422]);
  expect(Math.min(...[200, 422].map((status) => statuses.get(status)!))).toBeGreaterThan(200);
});
