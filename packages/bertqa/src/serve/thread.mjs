// In the workspace the sources run as they are; a thread does not inherit what runs TypeScript.
import { register } from "tsx/esm/api";

register();
await import(process.argv[2]);
