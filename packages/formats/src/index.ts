export { lfsPointerStart, openQuestionFile, rowsOfText } from "./open.ts";
export { splitByDocument } from "./split.ts";
