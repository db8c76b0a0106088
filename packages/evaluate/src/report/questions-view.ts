import { html, type SafeHtml } from "./html.ts";

/** The empty error browser; the page's script fills it from the JSON in the page. */
export function questionsView(): SafeHtml {
  return html`<main id="questions-view" hidden>
    <h1 class="unseen">Questions</h1>
    <aside aria-label="Find questions">
      <div class="controls">
        <label class="unseen" for="search">Search questions, ids, articles and answers</label>
        <input
          id="search"
          type="search"
          placeholder="Search question, id, article, answer"
          autocomplete="off"
          spellcheck="false"
        />
        <div class="selects">
          <label
            >Threshold
            <select id="threshold"></select
          ></label>
          <label
            >Order
            <select id="order"></select
          ></label>
        </div>
        <div id="filters" role="group" aria-label="Show"></div>
      </div>
      <div id="list" role="listbox" tabindex="0" aria-label="Questions"></div>
      <p class="keys"><kbd>j</kbd> next <kbd>k</kbd> previous <kbd>/</kbd> search <kbd>Esc</kbd> clear</p>
    </aside>
    <article id="detail" aria-label="Question"></article>
    <div class="pager">
      <button type="button" id="previous" aria-keyshortcuts="k">← Previous</button>
      <p id="position" role="status" aria-live="polite"></p>
      <button type="button" id="next" aria-keyshortcuts="j">Next →</button>
    </div>
  </main>`;
}
