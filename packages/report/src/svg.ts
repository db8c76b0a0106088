import * as Plot from "@observablehq/plot";
import { parseHTML } from "linkedom";
import { trustedHtml, type SafeHtml } from "./html.ts";

/** Colours and size of a drawing. On the page they are CSS variables, so that one drawing serves light and dark mode. */
export interface PlotTheme {
  readonly widthPixels: number;
  readonly heightPixels: number;
  readonly ink: string;
  readonly series: readonly [string, string, string];
  readonly areaOpacity: number;
  /** Drawn into the image, where no heading stands beside it. */
  readonly showTitle: boolean;
}

export const pageTheme: PlotTheme = {
  widthPixels: 380,
  heightPixels: 250,
  ink: "currentColor",
  series: ["var(--series-1)", "var(--series-2)", "var(--series-3)"],
  areaOpacity: 0.12,
  showTitle: false,
};

export const imageTheme: PlotTheme = {
  widthPixels: 640,
  heightPixels: 480,
  ink: "#1d1f23",
  series: ["#2456c4", "#b3541e", "#4a7a3a"],
  areaOpacity: 0.2,
  showTitle: true,
};

/** A drawing with the words that stand for it where it cannot be seen. */
export interface PlotText {
  /** Letters, digits and hyphens; unique in the page, since ids are made from it. */
  readonly name: string;
  readonly title: string;
  readonly description: string;
}

const rounding = /-?\d+\.\d{3,}(?:e-?\d+)?/g;
const drawnAttributes = ["d", "transform", "x", "y", "x1", "x2", "y1", "y2", "cx", "cy", "r", "width", "height"];

/** Draws to SVG text that stands by itself: labelled for screen readers, without style sheet, coordinates to 1/100 pixel. */
export function drawSvg(text: PlotText, theme: PlotTheme, options: Plot.PlotOptions): SafeHtml {
  const { document } = parseHTML("<html><body></body></html>");
  const svg = Plot.plot({
    document,
    width: theme.widthPixels,
    height: theme.heightPixels,
    marginLeft: theme.showTitle ? 62 : 46,
    marginTop: theme.showTitle ? 44 : 26,
    marginRight: 16,
    marginBottom: theme.showTitle ? 46 : 38,
    style: { color: theme.ink, fontSize: theme.showTitle ? "13px" : "11px" },
    ...options,
    ...(theme.showTitle ? { x: { ...options.x, ...centredLabel }, y: { ...options.y, ...centredLabel } } : {}),
    marks: [...(theme.showTitle ? [titleMark(text.title)] : []), ...(options.marks ?? [])],
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
  for (const element of svg.querySelectorAll("*")) roundCoordinates(element);
  return trustedHtml(svg.outerHTML);
}

/** As matplotlib labels axes: in the middle of each, clear of the title. */
const centredLabel = { labelAnchor: "center", labelArrow: "none" } as const;

function titleMark(title: string): Plot.Markish {
  return Plot.text([title], { frameAnchor: "top", dy: -30, fontSize: 15, fontWeight: 600 });
}

/** What this file needs of a DOM element; the DOM's own types are kept out of Node code. */
interface SvgElement {
  getAttribute(name: string): string | null;
  setAttribute(name: string, value: string): void;
}

function roundCoordinates(element: SvgElement): void {
  for (const name of drawnAttributes) {
    const value = element.getAttribute(name);
    if (value)
      element.setAttribute(
        name,
        value.replace(rounding, (number: string) => String(Number(Number(number).toFixed(2)))),
      );
  }
}
