import type { PageData } from "../page-data.ts";
import { ErrorBrowser } from "./error-browser.ts";
import { byId } from "./dom.ts";
import { Questions } from "./questions.ts";
import { makeTablesSortable } from "./sortable.ts";
import { showView } from "./views.ts";

const questions = new Questions(JSON.parse(byId("page-data").textContent ?? "") as PageData);
let browser: ErrorBrowser | undefined;

/** Made when it is first wanted: a reader of the overview does not wait for it. */
function errorBrowser(): ErrorBrowser {
  browser ??= new ErrorBrowser(questions);
  return browser;
}

/** `#overview`, `#questions`, or `#` and a question's id. */
function followAddress(): void {
  const target = addressed();
  const index = target === "" ? -1 : questions.data.questions.id.indexOf(target);
  const wantsQuestions = index !== -1 || target === "questions";
  showView(wantsQuestions ? "questions" : "overview");
  if (index !== -1) errorBrowser().open(index);
  else if (wantsQuestions) errorBrowser().refresh();
}

function addressed(): string {
  const written = location.hash.slice(1);
  try {
    return decodeURIComponent(written);
  } catch {
    return written; // a lone "%", typed by hand
  }
}

for (const link of document.querySelectorAll<HTMLElement>("a[data-search]")) {
  link.addEventListener("click", () => errorBrowser().search(link.dataset["search"] ?? ""));
}
makeTablesSortable();
addEventListener("hashchange", followAddress);
addEventListener("keydown", (event) => {
  if (!byId("questions-view").hidden) errorBrowser().onKey(event);
});
followAddress();
