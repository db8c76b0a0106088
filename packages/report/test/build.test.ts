import { parseHTML } from "linkedom";
import { expect, test } from "vitest";
import { buildReport } from "../src/build.ts";
import { html, jsonForScript } from "../src/html.ts";
import { hostileQuestion, reportDataOf, sampleReportData } from "./support/report-data.ts";

const data = sampleReportData();
const page = buildReport(data);
const { document } = parseHTML(page);

test("equal data gives equal bytes", () => {
  expect(buildReport(sampleReportData()) === page).toBe(true);
});

test("nothing in the page asks the network, and its policy forbids it", () => {
  const policy = document.querySelector("meta[http-equiv=Content-Security-Policy]")?.getAttribute("content");
  expect(policy).toMatch(/^default-src 'none';/);
  // The only addresses are those of SVG's name space, which is never fetched.
  expect(new Set(page.match(/https?:\/\/[^"'\s)]*/g))).toEqual(new Set(["http://www.w3.org/2000/svg"]));
  expect(document.querySelectorAll("[src], link[href]")).toHaveLength(0);
});

test("a passage that closes the script element stays inside the page's JSON", () => {
  expect(page.includes("</script><img")).toBe(false);
  expect(document.querySelector("img")).toBeNull();
  expect(document.querySelectorAll("script")).toHaveLength(2);
  const stored = JSON.parse(document.querySelector("#page-data")?.textContent ?? "");
  expect(stored.contexts.at(-1)).toBe(hostileQuestion.context);
});

test("an article, pipeline or model with markup in its name shows as text", () => {
  const links = [...document.querySelectorAll("a[data-search]")];
  expect(links.map((link) => link.textContent)).toContain(hostileQuestion.article);
  expect(document.querySelector(".lead")?.textContent).toBe("owner/<tiny>");
});

test("the scores table has a row a threshold, dev's own marked as optimistic, and the baseline", () => {
  const rows = [...document.querySelectorAll(".scores tbody tr")].map((row) => row.textContent.replace(/\s+/g, " "));
  expect(rows).toHaveLength(data.evaluation.scores.length + 1);
  expect(rows.filter((row) => row.includes("chosen on dev: optimistic"))).toHaveLength(2);
  expect(rows.filter((row) => row.includes("used below"))).toEqual([expect.stringContaining("tuned on held-out")]);
  expect(rows.at(-1)).toContain("never answering");
});

test("every drawing has a name, a description and a table of its numbers", () => {
  const figures = [...document.querySelectorAll("figure")];
  expect(figures).toHaveLength(7);
  for (const figure of figures) {
    const svg = figure.querySelector("svg[role=img]");
    const ids = svg?.getAttribute("aria-labelledby")?.split(" ") ?? [];
    expect(ids.map((id: string) => document.getElementById(id)?.textContent)).toEqual([
      figure.querySelector("h3")?.textContent,
      figure.querySelector("figcaption p")?.textContent,
    ]);
    expect(figure.querySelectorAll("details tbody tr").length).toBeGreaterThan(1);
  }
});

test("the peak that is told of the thresholds is that of the scores table, though not each threshold is drawn", () => {
  const { scores, thresholdSweep, counts } = data.evaluation;
  expect(thresholdSweep.length).toBeLessThan(counts.questions);
  const best = scores.find(({ kind }) => kind === "bestF1OnDev");
  const peak = `peaks at ${best?.all.f1.value.toFixed(1)} near ${best?.nullOddsThreshold?.toFixed(2).replace("-", "−")};`;
  expect(document.getElementById("threshold-sweep-desc")?.textContent).toContain(peak);
});

test("no id is used twice", () => {
  const ids = [...document.querySelectorAll("[id]")].map((element) => element.id);
  expect(ids).toEqual([...new Set(ids)]);
});

test("a report without answerable questions, training log and n-best list leaves those parts out", () => {
  const question = { ...hostileQuestion, answers: [] };
  const bare = reportDataOf([question], { [question.id]: "forty-two" }, { [question.id]: 1 });
  const { document: small } = parseHTML(buildReport({ ...bare, trainingLog: [], nbest: {} }));
  const titles = [...small.querySelectorAll("figure h3")].map((title) => title.textContent);
  expect(titles).not.toContain("Precision and recall");
  expect(titles).not.toContain("Training loss");
  expect(titles).not.toContain("Questions with an answer");
  expect(small.querySelector(".scores")?.textContent).toContain("–");
  // Of one article there are none.
  expect(small.querySelector(".note")?.textContent.trim()).toMatch(/^Percent\. A question/);
});

test("the sanity set has its scores with their number, and each question that was not right with its marked answers", () => {
  const questions = [
    { ...hostileQuestion, id: "right" },
    { ...hostileQuestion, id: "none", answers: [] },
    { ...hostileQuestion, id: "wrong" },
  ];
  const [gold, part] = ["<b>forty-two</b>", "forty"];
  const bestSpans = { right: gold, none: gold, wrong: part };
  const { results, nbest } = reportDataOf(questions, bestSpans, { right: -30, none: -30, wrong: -30 });
  const mean = { exact: 100 / 3, f1: 50, total: 3 };
  const scores = { all: mean, hasAns: mean, noAns: null, kinds: [{ label: hostileQuestion.article, ...mean }] };
  const evaluation = { ...data.evaluation, sanity: scores };
  const { document: shown } = parseHTML(buildReport({ ...data, evaluation, sanity: { questions, results, nbest } }));
  const section = shown.querySelector("section[aria-labelledby=section-sanity]");
  expect([...(section?.querySelectorAll("tbody th") ?? [])].map((head) => head.textContent)).toEqual([
    ...["all", "with answer", hostileQuestion.article],
  ]);
  expect(section?.querySelector("h3")?.textContent).toBe("Not right: 2 of 3");
  const wrong = [...(section?.querySelectorAll("details") ?? [])];
  expect(wrong.map((item) => item.querySelector("[data-outcome]")?.getAttribute("data-outcome"))).toEqual([
    ...["should be no answer", "wrong"],
  ]);
  // Each mark says what it is to screen readers: "[gold: Cremona]".
  const textOf = (mark: { readonly textContent: string }) => mark.textContent.replace(/^\[[a-z ]+: |\]$/g, "");
  const marksOf = (kind: string) =>
    wrong.map((item) => [...item.querySelectorAll(`.passage mark.${kind}`)].map(textOf).join(""));
  expect(marksOf("gold")).toEqual(["", gold]);
  expect(marksOf("predicted")).toEqual([gold, part]);
  // Its neighbour in the page: the scores come first, the drawings after it.
  expect(section?.previousElementSibling?.getAttribute("aria-labelledby")).toBe("section-scores");
  expect(shown.querySelectorAll("script")).toHaveLength(2);
});

test("values are escaped, markup is not, null is nothing", () => {
  const inner = html`<b>${"<&>\"'"}</b>`;
  expect(html`${inner}${null}${[1, "<"]}`.markup).toBe("<b>&lt;&amp;&gt;&quot;&#39;</b>1&lt;");
});

test("JSON for a script holds no <, and reads back the same", () => {
  const value = ["</script>", "<!--", "\u2028", "\ud800"];
  expect(jsonForScript(value).markup).not.toContain("<");
  expect(JSON.parse(jsonForScript(value).markup)).toEqual(value);
});
