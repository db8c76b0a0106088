export { addCommands } from "./program.ts";
