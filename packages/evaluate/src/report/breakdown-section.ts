import type { Breakdown } from "../results.ts";
import { decimal, whole } from "./format.ts";
import { html, type SafeHtml } from "./html.ts";

/** Scores by kind of question, one table a kind; the page's script lets readers sort them. */
export function breakdownSection(breakdowns: readonly Breakdown[]): SafeHtml {
  if (breakdowns.length === 0) return html``;
  return html`<section aria-labelledby="section-breakdown">
    <h2 id="section-breakdown">Breakdown</h2>
    <div class="breakdowns">${breakdowns.map(breakdownTable)}</div>
  </section>`;
}

function breakdownTable(breakdown: Breakdown): SafeHtml {
  const title = breakdown.by.charAt(0).toUpperCase() + breakdown.by.slice(1);
  return html`<div class="scroller" role="region" aria-label="Scores by ${breakdown.by}" tabindex="0">
    <table class="breakdown" data-sortable>
      <thead>
        <tr>
          ${[title, "Questions", "Exact", "F1"].map((name) => html`<th scope="col">${name}</th>`)}
        </tr>
      </thead>
      <tbody>
        ${breakdown.groups.map(
          (group) =>
            html`<tr>
              <th scope="row">${groupLabel(breakdown, group.label)}</th>
              <td data-value="${group.total}">${whole(group.total)}</td>
              ${[group.exact, group.f1].map((score) => scoreCell(score))}
            </tr>`,
        )}
      </tbody>
    </table>
  </div>`;
}

function groupLabel(breakdown: Breakdown, label: string): SafeHtml {
  if (breakdown.by !== "article") return html`${label}`;
  return html`<a href="#questions" data-search="${label}">${label.replaceAll("_", " ")}</a>`;
}

function scoreCell(score: number): SafeHtml {
  const width = decimal(Math.max(0, Math.min(100, score)), 1);
  return html`<td class="share" data-value="${score}" style="--share: ${width}%">${decimal(score, 1)}</td>`;
}
