import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { expect, test } from "vitest";
import { add, cluster, Graph, multiply, placeholder, reshape, softmaxCrossEntropy } from "../../src/index.ts";
import { tinyGraph } from "./tiny-graph.ts";

test("a graph's bytes are those that TensorFlow's own message classes were seen to read, field by field", async () => {
  // tiny-graph.json holds what they read, for people; its sha256 ties that to the bytes made here.
  const text = await readFile(new URL("fixtures/tiny-graph.json", import.meta.url), "utf8");
  const { sha256, decoded } = JSON.parse(text);
  expect(createHash("sha256").update(tinyGraph().toSavedModel()).digest("hex")).toBe(sha256);
  const { node, library, versions } = decoded.meta_graphs[0].graph_def;
  expect(node.map(({ op }: { op: string }) => op)).toEqual([
    ...["Placeholder", "PartitionedCall", "Placeholder", "Reshape", "Const", "Sum"],
  ]);
  const [{ signature, node_def, ret }] = library.function;
  expect(node[1].attr.f.func.name).toBe(signature.name);
  // y = x · tanh(x)
  expect(node_def).toMatchObject([
    { name: "n0", op: "Tanh", input: ["in0"] },
    { name: "n1", op: "Mul", input: ["in0", "n0:y:0"] },
  ]);
  expect(ret).toEqual({ out0: "n1:z:0" });
  // The axes 0 and -1 as little-endian int32: 00000000 ffffffff.
  expect(node[4].attr.value.tensor.tensor_content).toBe(Buffer.from("00000000ffffffff", "hex").toString("base64"));
  expect(versions).toEqual({ producer: 1500 });
});

test("clusters with equal bodies share one function, which is compiled once", () => {
  const graph = new Graph({ compileClusters: true });
  const x = placeholder(graph, "float32");
  const square = () => cluster({ x }, (inner) => ({ y: multiply(inner.x, inner.x) })).y;
  const countOf = (name: string) => Buffer.from(graph.toSavedModel()).toString("latin1").split(name).length - 1;
  add(square(), square());
  const [name] = /cluster_[0-9a-f]{16}/.exec(Buffer.from(graph.toSavedModel()).toString("latin1"))!;
  // Two calls name it, and one definition.
  expect(countOf(name)).toBe(3);
  expect(countOf("cluster_")).toBe(3);
});

test("equal constants are one node", () => {
  const graph = new Graph({ compileClusters: true });
  const x = placeholder(graph, "float32");
  expect(reshape(x, [2, 3]).reference).toBe("n2:0"); // n0 x, n1 the shape
  expect(reshape(x, [2, 3]).reference).toBe("n3:0");
});

test("what is used in another graph than its own is refused, and so is an op with two outputs in a cluster", () => {
  const [one, other] = [new Graph({ compileClusters: true }), new Graph({ compileClusters: true })];
  const x = placeholder(one, "float32");
  expect(() => add(x, placeholder(other, "float32"))).toThrow("AddV2: input n0:0 belongs to another graph");
  expect(() => cluster({ x, y: x }, ({ x: logits, y }) => ({ loss: softmaxCrossEntropy(logits, y).losses }))).toThrow(
    "SoftmaxCrossEntropyWithLogits cannot be part of a cluster",
  );
});

test("a shape with a named length is fed by one placeholder for each part of the graph", () => {
  const graph = new Graph({ compileClusters: true });
  const x = placeholder(graph, "float32");
  const shapeTwice = () => [reshape(x, ["L", 2]), reshape(x, ["L", 2]), reshape(x, ["L", 3])];
  graph.withOwnLengths("left", shapeTwice);
  graph.withOwnLengths("right", () => graph.withOwnLengths("inner", shapeTwice));
  expect([...graph.fedShapes.values()]).toEqual([
    ...[["left.L", 2], ["left.L", 3], ["right.inner.L", 2], ["right.inner.L", 3]], // prettier-ignore
  ]);
});
