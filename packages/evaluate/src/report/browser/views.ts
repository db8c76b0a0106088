import { byId } from "./dom.ts";

export type View = "overview" | "questions";

/** Shows one of the two views and marks its link. */
export function showView(view: View): void {
  for (const name of ["overview", "questions"] as const) {
    byId(`${name}-view`).hidden = name !== view;
    const link = document.querySelector(`nav a[href="#${name}"]`);
    if (name === view) link?.setAttribute("aria-current", "page");
    else link?.removeAttribute("aria-current");
  }
  document.body.dataset["view"] = view;
}
