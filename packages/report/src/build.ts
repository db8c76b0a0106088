import type { Candidate, QuestionResult } from "@bertqa/core";
import type { Question } from "@bertqa/squad";
import { counted, whole } from "@bertqa/ui/format";
import { buildSync } from "esbuild";
import { fileURLToPath } from "node:url";
import type { Evaluation } from "./evaluation.ts";
import { figureSections } from "./figures.ts";
import { html, jsonForScript, trustedHtml, type SafeHtml } from "./html.ts";
import { packPageData } from "./pack.ts";
import { sanitySection } from "./sanity.ts";
import { breakdownSection, questionsView, scoresSection } from "./sections.ts";

/** Questions, their results in the same order, and candidates by question id, best first; a question may have none. */
export interface AnsweredQuestions {
  readonly questions: readonly Question[];
  readonly results: readonly QuestionResult[];
  readonly nbest: Readonly<Record<string, readonly Candidate[]>>;
}

/** Everything that the HTML report shows. Holds no date and no machine, so that equal data gives equal bytes. */
export interface ReportData extends AnsweredQuestions {
  readonly pipeline: string;
  /** The encoder's name, as people know it. */
  readonly model: string;
  readonly evaluation: Evaluation;
  /** Left out where the dataset has no sanity set. */
  readonly sanity?: AnsweredQuestions;
  /** Rows of train's log; empty where there is none. */
  readonly trainingLog: readonly TrainingPoint[];
}

/** What is drawn of a row of the training log. */
export interface TrainingPoint {
  readonly step: number;
  readonly loss: number;
  readonly learningRate: number;
}

const policy = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:";

/**
 * Builds `report.html`: one file that needs no network, with scores, drawings, breakdowns and the error browser.
 * Equal data gives equal bytes.
 *
 * @throws BertqaError if results and questions are not the same questions in the same order
 */
export function buildReport(data: ReportData): string {
  const { script, style } = bundledAssets();
  const page = html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta http-equiv="Content-Security-Policy" content="${policy}" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <title>${data.pipeline} · ${data.model} · evaluation</title>
        <style>
          ${style}
        </style>
      </head>
      <body>
        <header class="bar">
          <p class="brand">${data.pipeline} <span>${data.model}</span></p>
          <nav aria-label="Views"><a href="#overview">Overview</a><a href="#questions">Questions</a></nav>
        </header>
        ${overview(data)} ${questionsView()}
        <script type="application/json" id="page-data">
          ${jsonForScript(packPageData(data))}
        </script>
        <script>
          ${script};
        </script>
      </body>
    </html> `;
  return page.markup;
}

function overview({ pipeline, model, evaluation, trainingLog, sanity }: ReportData): SafeHtml {
  const { questions, answerable, unanswerable, articles, tuneQuestions } = evaluation.counts;
  const facts = [
    counted(questions, "question"),
    `${whole(answerable)} with an answer`,
    `${whole(unanswerable)} without`,
    counted(articles, "article"),
    tuneQuestions > 0 ? `${counted(tuneQuestions, "question")} held out for thresholds` : "nothing held out",
  ];
  return html`<main id="overview-view">
    <h1>${pipeline}</h1>
    <p class="lead">${model}</p>
    <ul class="facts" aria-label="Counts">
      ${facts.map((fact) => html`<li>${fact}</li>`)}
    </ul>
    ${scoresSection(evaluation)} ${evaluation.sanity && sanity ? sanitySection(evaluation.sanity, sanity) : null}
    ${figureSections(evaluation, trainingLog)} ${breakdownSection(evaluation.breakdowns)}
  </main>`;
}

/** `browser/app.ts` and `style.css` with all that they import, each in one piece without types and comments. */
function bundledAssets(): { readonly script: SafeHtml; readonly style: SafeHtml } {
  const entries = [new URL("browser/app.ts", import.meta.url), new URL("style.css", import.meta.url)];
  const { outputFiles } = buildSync({
    entryPoints: entries.map((entry) => fileURLToPath(entry)),
    outdir: "/",
    bundle: true,
    write: false,
    minify: true,
    charset: "utf8",
    format: "iife",
    target: "es2022",
    legalComments: "none",
    tsconfigRaw: "{}",
  });
  // A script or style element ends at the first "</", even inside a string.
  const bundled = (ending: string) =>
    trustedHtml((outputFiles.find(({ path }) => path.endsWith(ending))?.text ?? "").replaceAll("</", "<\\/"));
  return { script: bundled(".js"), style: bundled(".css") };
}
