import type { FastifyInstance } from "fastify";
import { HttpProblem } from "./problems.ts";

/**
 * Bodies are JSON in UTF-8 (RFC 8259) or what a route adds a parser for. Bytes that are no UTF-8 are refused, where Node would
 * put U+FFFD in their place and shift every position after it; so are keys named `__proto__`, other charsets and compressed bodies.
 */
export function acceptJsonAlone(app: FastifyInstance): void {
  const parseJson = app.getDefaultJsonParser("error", "error");
  const utf8 = new TextDecoder("utf-8", { fatal: true });
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("application/json", { parseAs: "buffer" }, (request, body, done) => {
    const charset = /;\s*charset\s*=\s*"?([^";\s]*)/i.exec(request.headers["content-type"] ?? "")?.[1];
    if (charset !== undefined && charset.toLowerCase() !== "utf-8") {
      return done(new HttpProblem(415, "charset", "JSON is sent in UTF-8."));
    }
    let text: string;
    try {
      text = utf8.decode(body as Buffer);
    } catch {
      return done(new HttpProblem(400, "encoding", "The body is not valid UTF-8."));
    }
    return void parseJson(request, text, done);
  });
  app.addHook("onRequest", (request, _reply, done) => {
    const encoding = request.headers["content-encoding"]?.toLowerCase();
    if (encoding === undefined || encoding === "identity") return done();
    done(new HttpProblem(415, "content_encoding", "Bodies are taken without a Content-Encoding alone."));
  });
}
