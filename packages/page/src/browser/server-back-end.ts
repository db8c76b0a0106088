import { PageError, type Answer, type AskedQuestion, type BackEnd, type ModelFacts } from "./back-end.ts";

/** The parts of RFC 9457 that the page reads. */
interface Problem {
  readonly title?: string;
  readonly detail?: string;
}

const place = "on this server";

/** Asks the server that the page came from. */
export class ServerBackEnd implements BackEnd {
  #token = "";

  /** For a server that wants one. Held in memory alone: a reload forgets it. */
  set token(token: string) {
    this.#token = token;
  }

  /** The model's name and precision, where no token is wanted for them. Waits while the server loads its model. */
  async open(): Promise<ModelFacts> {
    for (;;) {
      const response = await this.#fetch("v1/model", {});
      if (response.status === 503) {
        await new Promise((resolve) => setTimeout(resolve, 1000 * secondsToWait(response)));
        continue;
      }
      if (response.status === 401) return { facts: [place], remarks: [] };
      if (!response.ok) throw await errorOf(response);
      const { name, precision } = (await response.json()) as { name: string; precision: string };
      return { facts: [name, precision, place], remarks: [] };
    }
  }

  async answer(question: AskedQuestion, signal: AbortSignal): Promise<Answer> {
    const { topK, ...asked } = question;
    const response = await this.#fetch("v1/answers", {
      method: "POST",
      headers: {
        "content-type": "application/json",
        ...(this.#token && { authorization: `Bearer ${this.#token}` }),
      },
      body: JSON.stringify({ questions: [asked], topK }),
      signal,
    });
    if (!response.ok) throw await errorOf(response);
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

async function errorOf(response: Response): Promise<PageError> {
  if (response.status === 401) return new PageError("This server wants a token.", true);
  if (response.status === 429 || response.status === 503) {
    return new PageError(`The server is busy. Ask again in ${secondsToWait(response)} s.`);
  }
  const problem = (await response.json().catch(() => ({}))) as Problem;
  return new PageError(problem.detail ?? problem.title ?? `The server answered ${response.status}.`);
}

function secondsToWait(response: Response): number {
  return Number(response.headers.get("retry-after")) || 1;
}
