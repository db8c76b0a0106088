import { el } from "./dom.ts";

/** A share from 0 to 1 as a short bar, beside the number that says the same. */
export function shareBar(share: number): HTMLElement {
  const bar = el("span", { class: "share-bar", "aria-hidden": "true" });
  bar.style.setProperty("--share", `${share * 100}%`);
  return bar;
}
