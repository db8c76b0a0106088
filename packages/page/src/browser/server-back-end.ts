import { checkLength, PageError, type Answer, type AskedQuestion, type BackEnd, type ModelFacts } from "./back-end.ts";

/** The parts of RFC 9457 that the page reads. */
interface Problem {
  readonly title?: string;
  readonly code?: string;
  readonly detail?: string;
  readonly errors?: readonly { readonly pointer: string; readonly detail: string }[];
}

/** By their code, for problems whose detail is not for readers. */
const words: Readonly<Record<string, string>> = {
  body_too_large: "The text is longer than this server takes. Ask about a part of it.",
  not_ready: "The server has not loaded its model yet. Ask again in a moment.",
  stopping: "The server is stopping.",
  timeout: "The answer took too long. Ask again, or about a part of the text.",
};

/** The parts of `/v1/model` that the page reads. */
interface Model {
  readonly name: string;
  readonly precision: string;
  readonly limits: { readonly passageCharacters: number };
}

const place = "on this server";

/** Asks the server that the page came from. */
export class ServerBackEnd implements BackEnd {
  #token = "";
  /** As far as the server has told. */
  #passageCharacters = Infinity;

  /** For a server that wants one. Held in memory alone: a reload forgets it. */
  set token(token: string) {
    this.#token = token;
  }

  /** The model's name and precision, where no token is wanted for them. Waits while the server loads its model. */
  async open(): Promise<ModelFacts> {
    for (;;) {
      const response = await this.#fetch("v1/model", {});
      if (response.status === 401) return { facts: [place], remarks: [] };
      if (!response.ok) {
        const problem = await problemOf(response);
        if (problem.code !== "not_ready") throw errorOf(response, problem);
        await new Promise((resolve) => setTimeout(resolve, 1000 * secondsToWait(response)));
        continue;
      }
      const { name, precision, limits } = (await response.json()) as Model;
      this.#passageCharacters = limits.passageCharacters;
      return { facts: [name, precision, place], remarks: [] };
    }
  }

  async answer(question: AskedQuestion, signal: AbortSignal): Promise<Answer> {
    const { topK, ...asked } = question;
    checkLength([...asked.context].length, this.#passageCharacters); // code points, as the server counts
    // A header field cannot hold others, such as one that is not seen and came along from where the token was copied.
    if (/[^!-~]/.test(this.#token)) throw new PageError("The token has characters that no token has.", true);
    const response = await this.#fetch("v1/answers", {
      method: "POST",
      headers: {
        "content-type": "application/json",
        ...(this.#token && { authorization: `Bearer ${this.#token}` }),
      },
      body: JSON.stringify({ questions: [asked], topK }),
      signal,
    });
    if (response.status === 401 && this.#token) throw new PageError("The token is not one of this server's.", true);
    if (!response.ok) throw errorOf(response, await problemOf(response));
    const { answers } = (await response.json()) as { answers: Answer[] };
    if (!answers[0]) throw new PageError("The server gave no answer.");
    return answers[0];
  }

  async #fetch(path: string, init: RequestInit): Promise<Response> {
    try {
      return await fetch(new URL(path, document.baseURI), init);
    } catch (cause) {
      if (init.signal?.aborted) throw cause;
      throw new PageError("The server cannot be reached. Is it still running?");
    }
  }
}

async function problemOf(response: Response): Promise<Problem> {
  return (await response.json().catch(() => ({}))) as Problem;
}

function errorOf(response: Response, { title, code = "", detail, errors }: Problem): PageError {
  if (response.status === 401) return new PageError("This server wants a token.", true);
  if (response.status === 429) return new PageError(`The server is busy. Ask again in ${secondsToWait(response)} s.`);
  const [first] = errors ?? [];
  const told = words[code] ?? (first && sentenceOf(first)) ?? detail ?? title;
  return new PageError(told ?? `The server answered ${response.status}.`);
}

/** What is wrong at a place of the body: "/questions/0/context" is the text, as the page calls it. */
function sentenceOf({ pointer, detail }: { readonly pointer: string; readonly detail: string }): string {
  const name = pointer.slice(pointer.lastIndexOf("/") + 1);
  return `The ${name === "context" ? "text" : name} ${detail}.`;
}

function secondsToWait(response: Response): number {
  return Number(response.headers.get("retry-after")) || 1;
}
