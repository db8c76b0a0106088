import { fromBinary } from "@bufbuild/protobuf";
import { ModelProtoSchema, TensorProto_DataType as DataType, type ModelProto } from "onnx-buf";
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { InferenceSession, Tensor } from "onnxruntime-node";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parseBertConfig, readSafetensors, type BertConfig, type HostTensor } from "@bertqa/core";
import { bertToOnnx, type OnnxPrecision } from "../src/index.ts";
import { MAX_WEIGHT } from "../src/onnx/quantize.ts";

const repository = join(import.meta.dirname, "../../..");
const shared = process.env["BERTQA_SHARED"] ?? join(repository, "../shared");
const folders = [
  { name: "the fixture", folder: join(repository, "packages/model/test/fixtures/tiny-bert") },
  { name: "the golden files", folder: join(shared, "golden/tiny-bert") },
];
const python = process.env["BERTQA_PEER_PYTHON"];

interface Checkpoint {
  readonly config: BertConfig;
  readonly tensors: ReadonlyMap<string, HostTensor>;
}

async function readCheckpoint(folder: string): Promise<Checkpoint> {
  const file = join(folder, "config.json");
  const config = parseBertConfig(JSON.parse(await readFile(file, "utf8")), "test", file);
  return { config, tensors: await readSafetensors(join(folder, "model.safetensors"), "test") };
}

/** Inputs [B, L] of the oracle, and PyTorch's logits for them. */
async function readOracle(folder: string) {
  const inputs = JSON.parse(await readFile(join(folder, "inputs.json"), "utf8")) as Record<string, number[][]>;
  const expected = await readSafetensors(join(folder, "expected.safetensors"), "test");
  const names = ["input_ids", "attention_mask", "token_type_ids"] as const;
  const feeds = Object.fromEntries(
    names.map((name) => {
      const rows = inputs[name]!;
      const data = BigInt64Array.from(rows.flat(), BigInt);
      return [name, new Tensor("int64", data, [rows.length, rows[0]!.length])];
    }),
  );
  return { feeds, mask: inputs["attention_mask"]!.flat(), expected };
}

type Oracle = Awaited<ReturnType<typeof readOracle>>;

/** Largest gap of both logits to PyTorch's, over real tokens. */
async function logitGap(model: Uint8Array, { feeds, mask, expected }: Oracle): Promise<number> {
  const session = await InferenceSession.create(model);
  const outputs = await session.run(feeds);
  await session.release();
  const gaps = (["start", "end"] as const).flatMap((name) => {
    const reference = expected.get(`logits/${name}`)!.data;
    const got = outputs[`${name}_logits`]!.data as Float32Array;
    return mask.map((real, i) => (real === 1 ? Math.abs(got[i]! - reference[i]!) : 0));
  });
  return Math.max(...gaps);
}

describe.each(folders)("$name by PyTorch", ({ folder }) => {
  describe.skipIf(!existsSync(folder))("as ONNX", () => {
    let checkpoint: Checkpoint;
    let oracle: Oracle;
    const models = new Map<OnnxPrecision, Uint8Array>();
    beforeAll(async () => {
      checkpoint = await readCheckpoint(folder);
      oracle = await readOracle(folder);
      for (const precision of ["float32", "int8"] as const) {
        models.set(precision, bertToOnnx(checkpoint.config, checkpoint.tensors, precision));
      }
    });

    test("float32: ONNX Runtime's logits are PyTorch's within 1e-4 at every real token", async () => {
      expect(await logitGap(models.get("float32")!, oracle)).toBeLessThan(1e-4);
    });

    test("int8: ONNX Runtime's logits stay near PyTorch's", async () => {
      // Weights of a made-up model are coarse: one 126th of the largest in each column. Measured: 0.03.
      expect(await logitGap(models.get("int8")!, oracle)).toBeLessThan(0.1);
    });

    test("every int8 tensor holds 7 bits, and the layers' matrices and the word table are all int8", () => {
      const tensors = readBack(models.get("int8")!).graph!.initializer;
      const stored = tensors.filter(({ dataType }) => dataType === DataType.INT8);
      // query, key, value, attention output, intermediate, output of each layer; the word table
      expect(stored).toHaveLength(6 * checkpoint.config.layerCount + 1);
      for (const { name, rawData } of stored) {
        const values = new Int8Array(rawData);
        expect(Math.max(...values.map(Math.abs)), name).toBeLessThanOrEqual(MAX_WEIGHT);
      }
    });

    test("equal weights give equal bytes", () => {
      for (const [precision, model] of models) {
        expect(Buffer.compare(bertToOnnx(checkpoint.config, checkpoint.tensors, precision), model)).toBe(0);
      }
    });

    test("read back: standard operators of opset 20 alone, free batch and length", () => {
      for (const model of models.values()) {
        const { irVersion, opsetImport, graph } = readBack(model);
        expect(irVersion).toBe(9n);
        expect(opsetImport.map(({ domain, version }) => ({ domain, version }))).toEqual([{ domain: "", version: 20n }]);
        expect(new Set(graph!.node.map(({ domain }) => domain))).toEqual(new Set([""]));
        expect(graph!.input.map(({ name }) => name)).toEqual(["input_ids", "attention_mask", "token_type_ids"]);
        expect(graph!.output.map(({ name }) => name)).toEqual(["start_logits", "end_logits"]);
      }
    });

    describe.skipIf(!python)("by Python's onnx", () => {
      let temporary: string;
      beforeAll(async () => void (temporary = await mkdtemp(join(tmpdir(), "bertqa-onnx-"))));
      afterAll(() => rm(temporary, { recursive: true }));

      test.each(["float32", "int8"] as const)("%s passes the full check with inferred shapes", async (precision) => {
        const file = join(temporary, `${precision}.onnx`);
        await writeFile(file, models.get(precision)!);
        const check = "import onnx, sys; onnx.checker.check_model(onnx.load(sys.argv[1]), full_check=True)";
        execFileSync(python!, ["-c", check, file], { stdio: ["ignore", "ignore", "inherit"] });
      });
    });
  });
});

function readBack(model: Uint8Array): ModelProto {
  return fromBinary(ModelProtoSchema, model);
}

test("a tensor of another shape than config.json makes it is refused by name, with both shapes", async () => {
  const { config, tensors } = await readCheckpoint(folders[0]!.folder);
  const wider = { ...config, intermediateSize: config.intermediateSize + 1 };
  expect(() => bertToOnnx(wider, tensors, "float32")).toThrow(
    "bert.encoder.layer.0.intermediate.dense.weight: got [17, 12], config.json makes it [18, 12]",
  );
});
