export { openQuestionFile, rowsOfText, type QuestionFile } from "./open.ts";
export { rowsOfJson } from "./json.ts";
export { splitByDocument } from "./split.ts";
