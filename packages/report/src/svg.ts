import * as Plot from "@observablehq/plot";
import { parseHTML } from "linkedom";
import { trustedHtml, type SafeHtml } from "./html.ts";

/** Size of a drawing, in pixels; the page scales it. */
export const plotWidth = 380;
export const plotHeight = 250;

/** Colours are the page's, so that one drawing serves light and dark mode. */
export const seriesColours = ["var(--series-1)", "var(--series-2)", "var(--series-3)"] as const;
/** Dashes of the three series: colour is never the only difference. */
export const seriesDashes = ["", "6 3", "2 3"] as const;

/** A drawing with the words that stand for it where it cannot be seen. */
export interface PlotText {
  /** Letters, digits and hyphens; unique in the page, since ids are made from it. */
  readonly name: string;
  readonly title: string;
  readonly description: string;
}

const longNumber = /-?\d+\.\d{3,}(?:e-?\d+)?/g;

/** Draws to SVG text that stands by itself: labelled for screen readers, without style sheet, coordinates to 1/100 pixel. */
export function drawSvg(text: PlotText, options: Plot.PlotOptions): SafeHtml {
  const { document } = parseHTML("<html><body></body></html>");
  const svg = Plot.plot({
    document,
    width: plotWidth,
    height: plotHeight,
    marginLeft: 46,
    marginTop: 26,
    marginRight: 16,
    marginBottom: 38,
    style: { color: "currentColor", fontSize: "11px" },
    ...options,
  });
  svg.querySelector("style")?.remove();
  svg.removeAttribute("class");
  svg.setAttribute("xmlns", "http://www.w3.org/2000/svg");
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-labelledby", `${text.name}-title ${text.name}-desc`);
  for (const [tag, words] of [
    ["desc", text.description],
    ["title", text.title],
  ] as const) {
    const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
    element.setAttribute("id", `${text.name}-${tag}`);
    element.textContent = words;
    svg.prepend(element);
  }
  const rounded = (number: string) => String(Number(Number(number).toFixed(2)));
  return trustedHtml(svg.outerHTML.replace(/="[^"]*"/g, (value: string) => value.replace(longNumber, rounded)));
}
