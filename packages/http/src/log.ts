import type { FastifyServerOptions } from "fastify";

export type LogLevel = "fatal" | "error" | "warn" | "info" | "debug" | "trace" | "silent";

/** Where log lines go; `process.stderr` is one. */
export interface LogStream {
  write(line: string): void;
}

/**
 * Settings of pino, one JSON object a line. What a client sent is in none: no address but the route's pattern, no query, no
 * header field, no body, and no message of an error that nobody expected, since that may repeat what was asked.
 */
export function loggerOptions(level: LogLevel, stream: LogStream): NonNullable<FastifyServerOptions["logger"]> {
  return {
    level,
    stream,
    base: { pid: process.pid },
    timestamp: () => `,"time":"${new Date().toISOString()}"`,
    formatters: { level: (label) => ({ level: label }) },
    serializers: {
      req: ({ method, routeOptions }) => ({ method, route: routeOptions?.url ?? null }),
      res: ({ statusCode }) => ({ statusCode }),
      err: describeError as never,
    },
  };
}

/** Kind, code and stack of an error, without its message. */
export function describeError(error: unknown): Record<string, unknown> {
  if (!(error instanceof Error)) return { type: typeof error };
  const frames = (error.stack ?? "").split("\n").filter((line) => /^\s+at /.test(line));
  const { code } = error as { code?: unknown };
  return {
    type: error.name,
    ...(typeof code === "string" && { code }),
    stack: frames.map((line) => line.trim()),
    ...(error.cause === undefined ? {} : { cause: describeError(error.cause) }),
  };
}
