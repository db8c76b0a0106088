import { buildSync } from "esbuild";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { breakdownSection } from "./breakdown-section.ts";
import type { ReportData } from "./data.ts";
import { figureSections } from "./figures.ts";
import { html, jsonForScript, trustedHtml, type SafeHtml } from "./html.ts";
import { questionsView } from "./questions-view.ts";
import { counted, scoresSection } from "./scores-section.ts";
import { pageDataOf } from "./to-page-data.ts";

const policy = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:";

/**
 * Builds `report.html`: one file that needs no network, with scores, drawings, breakdowns and the error browser.
 * Equal data gives equal bytes.
 *
 * @throws BertqaError if the evaluation and the dev file do not hold the same questions in the same order
 */
export function buildReport(data: ReportData): string {
  const title = `${data.pipeline} · ${data.model}`;
  const page = html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta http-equiv="Content-Security-Policy" content="${policy}" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <title>${title} · evaluation</title>
        <style>
          ${trustedHtml(readOwnFile("style.css"))}
        </style>
      </head>
      <body>
        <header class="bar">
          <p class="brand">${data.pipeline} <span>${data.model}</span></p>
          <nav aria-label="Views"><a href="#overview">Overview</a><a href="#questions">Questions</a></nav>
        </header>
        ${overview(data)} ${questionsView()}
        <script type="application/json" id="page-data">
          ${jsonForScript(pageDataOf(data))}
        </script>
        <script>
          ${pageScript()};
        </script>
      </body>
    </html> `;
  return page.markup;
}

function overview(data: ReportData): SafeHtml {
  const { counts } = data.evaluation;
  const facts = [
    counted(counts.questions, "question"),
    `${counts.answerable.toLocaleString("en-US")} with an answer`,
    `${counts.unanswerable.toLocaleString("en-US")} without`,
    counted(counts.articles, "article"),
    counts.tuneQuestions > 0
      ? `${counted(counts.tuneQuestions, "question")} held out for thresholds`
      : "nothing held out",
  ];
  return html`<main id="overview-view">
    <h1>${data.pipeline}</h1>
    <p class="lead">${data.model}</p>
    <ul class="facts" aria-label="Counts">
      ${facts.map((fact) => html`<li>${fact}</li>`)}
    </ul>
    ${scoresSection(data.evaluation)} ${figureSections(data.evaluation, data.trainingLog)}
    ${breakdownSection(data.evaluation.breakdowns)}
  </main>`;
}

/** The page's script: `browser/app.ts` and what it imports, in one piece, types taken off. */
function pageScript(): SafeHtml {
  const built = buildSync({
    entryPoints: [fileURLToPath(new URL("browser/app.ts", import.meta.url))],
    bundle: true,
    write: false,
    minify: true,
    charset: "utf8",
    format: "iife",
    target: "es2022",
    legalComments: "none",
    tsconfigRaw: "{}",
  });
  // A script element ends at the first "</script", even inside a string.
  return trustedHtml((built.outputFiles[0]?.text ?? "").replaceAll("</", "<\\/"));
}

function readOwnFile(name: string): string {
  return readFileSync(new URL(name, import.meta.url), "utf8");
}
