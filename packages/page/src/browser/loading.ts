import { byId, decimal, el } from "@bertqa/ui";
import { PageError, type BackEnd, type LoadProgress, type ModelFacts } from "./back-end.ts";

/** Opens the back end, shows how far it is, and offers another try where it fails. */
export class Loading {
  readonly #backEnd: BackEnd;
  /** Resolves once the model is ready, however many tries it takes. */
  readonly firstReady: Promise<void>;
  #facts: Promise<ModelFacts>;
  #setReady = () => {};

  constructor(backEnd: BackEnd) {
    this.#backEnd = backEnd;
    this.firstReady = new Promise((resolve) => (this.#setReady = resolve));
    this.#facts = this.#open();
  }

  /** Resolves once the model is ready; rejects where it cannot be had, or the signal is aborted first. */
  async ready(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const aborted = new Promise<never>((_, reject) =>
      signal.addEventListener("abort", () => reject(signal.reason as Error), { once: true }),
    );
    await Promise.race([this.#facts, aborted]);
  }

  #open(): Promise<ModelFacts> {
    const facts = this.#backEnd.open((progress) => showProgress(progress));
    void facts.then(
      (facts) => this.#show(facts),
      (error: unknown) => this.#fail(error),
    );
    return facts;
  }

  #show({ facts, remarks }: ModelFacts): void {
    byId("loading").hidden = true;
    facts.forEach((fact) => addFact(fact));
    remarks.forEach((remark) => addRemark(remark));
    document.documentElement.dataset["model"] = "ready";
    this.#setReady();
  }

  #fail(error: unknown): void {
    byId("loading").hidden = true;
    const message = error instanceof PageError ? error.message : `The model cannot be loaded: ${String(error)}`;
    const again = () => {
      remark.remove();
      this.#facts = this.#open();
    };
    const remark = addRemark(message, { label: "Try again", run: again });
    document.documentElement.dataset["model"] = "failed";
  }
}

function showProgress({ bytesLoaded, bytesTotal }: LoadProgress): void {
  byId("loading").hidden = false;
  const bar = byId<HTMLProgressElement>("load-progress");
  bar.max = bytesTotal;
  bar.value = bytesLoaded;
  const megabytes = (bytes: number) => decimal(bytes / 1e6, 1);
  const isLoaded = bytesLoaded >= bytesTotal;
  byId("loading-label").textContent = isLoaded
    ? "Starting the model"
    : `Loading the model: ${megabytes(bytesLoaded)} of ${megabytes(bytesTotal)} MB`;
}

/** Adds a short fact about the model to the bar. */
export function addFact(fact: string): void {
  byId("model-facts").append(el("li", {}, fact));
}

/** Adds a sentence above the page, perhaps with something to do about it. */
export function addRemark(
  sentence: string,
  action?: { readonly label: string; readonly run: () => void },
): HTMLElement {
  const button = action && el("button", { type: "button" }, action.label);
  button?.addEventListener("click", () => action?.run());
  const remark = el("p", { class: "remark" }, `${sentence} `, button ?? null);
  byId("remarks").append(remark);
  return remark;
}
