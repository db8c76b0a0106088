import type { FastifyError, FastifyReply, FastifyRequest } from "fastify";
import { STATUS_CODES } from "node:http";
import type { Socket } from "node:net";

const problemType = "application/problem+json";

/** What is wrong at one place of a request. */
interface ProblemPlace {
  /** JSON pointer (RFC 6901) into the body, or the name of a parameter. */
  readonly pointer: string;
  readonly detail: string;
}

/** A body of RFC 9457. `type` is "about:blank", so `title` is the status's own phrase; `code` is for programs. */
interface ProblemBody {
  readonly type: "about:blank";
  readonly title: string;
  readonly status: number;
  readonly code: string;
  readonly detail: string;
  readonly requestId?: string;
  readonly errors?: readonly ProblemPlace[];
}

export interface ProblemExtras {
  readonly errors?: readonly ProblemPlace[];
  /** Whole seconds after which the client may try again. */
  readonly retryAfterSeconds?: number;
  readonly headers?: Readonly<Record<string, string>>;
}

/** An answer that is no success. Throw it in a handler; its detail goes to the client, so it holds nothing private. */
export class HttpProblem extends Error {
  readonly status: number;
  readonly code: string;
  readonly extras: ProblemExtras;

  constructor(status: number, code: string, detail: string, extras: ProblemExtras = {}) {
    super(detail);
    this.name = "HttpProblem";
    this.status = status;
    this.code = code;
    this.extras = extras;
  }
}

/** Details of our own for fastify's errors: some of its messages repeat what the client sent. */
const knownErrors: Readonly<Record<string, readonly [status: number, code: string, detail: string]>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: [413, "body_too_large", "The body is larger than this address takes."],
  FST_ERR_CTP_INVALID_MEDIA_TYPE: [415, "media_type", "This address does not take that Content-Type."],
  FST_ERR_CTP_EMPTY_JSON_BODY: [400, "empty_body", "The body is empty, expected JSON."],
  FST_ERR_CTP_INVALID_JSON_BODY: [400, "invalid_json", "The body is not valid JSON."],
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: [400, "content_length", "The body is not as long as Content-Length says."],
  FST_ERR_BAD_URL: [400, "bad_url", "The address is not a valid one."],
  FST_ERR_MAX_PARAM_LENGTH: [414, "url_too_long", "A part of the address is too long."],
};

/** A body can be wrong in a million places, and a message can hold a key of any length. */
const shownErrors = 20;
const cut = (text: string) => (text.length > 300 ? `${text.slice(0, 300)}…` : text);

/** @returns the problem that a client is told of; an error that nobody expected says nothing but 500 */
export function toProblem(error: unknown): HttpProblem {
  if (error instanceof HttpProblem) return error;
  const { code, statusCode, validation, validationContext } = error as Partial<FastifyError>;
  if (validation) {
    const errors = validation.slice(0, shownErrors).map(({ instancePath, message = "is not valid" }) => ({
      pointer: cut(instancePath),
      detail: cut(message),
    }));
    const part = validationContext ?? "body";
    const detail = `The ${part} does not have the form that this address takes.`;
    return new HttpProblem(part === "body" ? 422 : 400, "invalid", detail, { errors });
  }
  const known = code === undefined ? undefined : knownErrors[code];
  if (known) return new HttpProblem(...known);
  if (statusCode !== undefined && statusCode >= 400 && statusCode < 500) {
    return new HttpProblem(statusCode, "bad_request", "The request is not valid.");
  }
  return new HttpProblem(500, "internal", "The server failed. Its log has the request id.");
}

function problemBody({ status, code, message, extras }: HttpProblem, requestId?: string): ProblemBody {
  return {
    type: "about:blank",
    title: STATUS_CODES[status] ?? "Error",
    status,
    code,
    detail: message,
    ...(requestId !== undefined && { requestId }),
    ...(extras.errors && { errors: extras.errors }),
  };
}

/** Sends a problem as RFC 9457 wants it. */
export function sendProblem(request: FastifyRequest, reply: FastifyReply, problem: HttpProblem): FastifyReply {
  const { retryAfterSeconds, headers } = problem.extras;
  if (retryAfterSeconds !== undefined) reply.header("retry-after", String(retryAfterSeconds));
  if (headers) reply.headers(headers);
  return reply
    .code(problem.status)
    .type(problemType)
    .header("cache-control", "no-store")
    .serializer((body: unknown) => JSON.stringify(body))
    .send(problemBody(problem, request.id));
}

/** What Node's parser refuses never becomes a request. */
const parserErrors: Readonly<Record<string, HttpProblem>> = {
  HPE_HEADER_OVERFLOW: new HttpProblem(431, "headers_too_large", "The header fields are too large."),
  HPE_CHUNK_EXTENSIONS_OVERFLOW: new HttpProblem(413, "body_too_large", "The chunk extensions are too large."),
  ERR_HTTP_REQUEST_TIMEOUT: new HttpProblem(408, "request_timeout", "The request took too long to arrive."),
};

/** Answers on the bare socket, unless an answer is under way there already. */
export function answerParserError(error: { readonly code: string }, socket: Socket): void {
  const { _httpMessage: answer } = socket as { _httpMessage?: { readonly headersSent: boolean } | null };
  if (socket.writable && error.code !== "ECONNRESET" && !answer?.headersSent) {
    const problem = parserErrors[error.code] ?? new HttpProblem(400, "malformed", "The request is not valid HTTP.");
    const body = JSON.stringify(problemBody(problem));
    const lines = [
      `HTTP/1.1 ${problem.status} ${STATUS_CODES[problem.status]}`,
      `content-type: ${problemType}`,
      `content-length: ${Buffer.byteLength(body)}`,
      "connection: close",
    ];
    socket.write(`${lines.join("\r\n")}\r\n\r\n${body}`);
  }
  socket.destroySoon();
}
