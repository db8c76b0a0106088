import { Resvg } from "@resvg/resvg-js";
import { createRequire } from "node:module";
import type { SafeHtml } from "./html.ts";

/** Shipped with the package, so that images have the same letters on a machine without fonts (it is matplotlib's too). */
const fontFamily = "DejaVu Sans";
const require = createRequire(import.meta.url);
const fontFiles = [
  require.resolve("dejavu-fonts-ttf/ttf/DejaVuSans.ttf"),
  require.resolve("dejavu-fonts-ttf/ttf/DejaVuSans-Bold.ttf"),
];

const pixelsPerUnit = 2;

/** Renders an SVG drawing on white, at two pixels a unit. */
export function renderPng(svg: SafeHtml): Buffer {
  const font = { loadSystemFonts: false, fontFiles, defaultFontFamily: fontFamily, sansSerifFamily: fontFamily };
  const renderer = new Resvg(svg.markup, { font, background: "white", fitTo: { mode: "zoom", value: pixelsPerUnit } });
  return renderer.render().asPng();
}
