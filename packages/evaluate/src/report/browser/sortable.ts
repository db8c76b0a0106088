import { el } from "./dom.ts";

/** Turns the column heads of every `table[data-sortable]` into buttons that sort by that column, up and down in turn. */
export function makeTablesSortable(): void {
  for (const table of document.querySelectorAll<HTMLTableElement>("table[data-sortable]")) {
    [...table.querySelectorAll("thead th")].forEach((head, column) => {
      const button = el("button", { type: "button" }, head.textContent ?? "");
      button.addEventListener("click", () => sortBy(table, head, column));
      head.replaceChildren(button);
    });
  }
}

function sortBy(table: HTMLTableElement, head: Element, column: number): void {
  const sorted = head.getAttribute("aria-sort");
  // Numbers are most wanted from the largest down, names from A.
  const direction = sorted
    ? sorted === "ascending"
      ? "descending"
      : "ascending"
    : column === 0
      ? "ascending"
      : "descending";
  table.querySelectorAll("th[aria-sort]").forEach((other) => other.removeAttribute("aria-sort"));
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
