import { byId, el } from "@bertqa/ui";
import type { PageData } from "../page-data.ts";
import { ErrorBrowser } from "./error-browser.ts";
import { Questions } from "./questions.ts";

const questions = new Questions(JSON.parse(byId("page-data").textContent ?? "") as PageData);
let browser: ErrorBrowser | undefined;

/** Made when it is first wanted: a reader of the overview does not wait for it. */
function errorBrowser(): ErrorBrowser {
  browser ??= new ErrorBrowser(questions);
  return browser;
}

/** `#overview`, `#questions`, or `#id=` and a question's id. */
function followAddress(): void {
  const id = new URLSearchParams(location.hash.slice(1).replaceAll("+", "%2B")).get("id");
  const index = id === null ? -1 : questions.data.questions.id.indexOf(id);
  const wantsQuestions = index !== -1 || location.hash === "#questions";
  showView(wantsQuestions ? "questions" : "overview");
  if (index !== -1) errorBrowser().open(index);
  else if (wantsQuestions) errorBrowser().refresh();
}

/** Shows one of the two views and marks its link. */
function showView(view: "overview" | "questions"): void {
  for (const name of ["overview", "questions"] as const) {
    byId(`${name}-view`).hidden = name !== view;
    const current = name === view ? "page" : "false";
    document.querySelector(`nav a[href="#${name}"]`)?.setAttribute("aria-current", current);
  }
}

/** Turns the column heads of every `table[data-sortable]` into buttons that sort by that column, up and down in turn. */
function makeTablesSortable(): void {
  for (const table of document.querySelectorAll<HTMLTableElement>("table[data-sortable]")) {
    [...table.querySelectorAll("thead th")].forEach((head, column) => {
      const button = el("button", { type: "button", class: "plain" }, head.textContent ?? "");
      button.addEventListener("click", () => sortBy(table, head, column));
      head.replaceChildren(button);
    });
  }
}

function sortBy(table: HTMLTableElement, head: Element, column: number): void {
  // First press: numbers from the largest down, names from A.
  const first = column === 0 ? "ascending" : "descending";
  const other = { ascending: "descending", descending: "ascending" } as const;
  const direction = other[head.getAttribute("aria-sort") as keyof typeof other] ?? first;
  table.querySelectorAll("th[aria-sort]").forEach((sorted) => sorted.removeAttribute("aria-sort"));
  head.setAttribute("aria-sort", direction);
  const body = table.tBodies[0];
  const sign = direction === "ascending" ? 1 : -1;
  body?.append(...[...body.rows].sort((a, b) => sign * compareCells(a.cells[column], b.cells[column])));
}

function compareCells(a: HTMLElement | undefined, b: HTMLElement | undefined): number {
  const [left, right] = [a?.dataset["value"], b?.dataset["value"]];
  if (left !== undefined && right !== undefined) return Number(left) - Number(right);
  return (a?.textContent ?? "").localeCompare(b?.textContent ?? "", "en", { numeric: true });
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
