import {
  afterAll,
  assign,
  copy,
  placeholder,
  read,
  variable,
  type FeedValue,
  type Graph,
  type Session,
  type Tensor,
  type Variable,
} from "@bertqa/engine";
import type { Parameter } from "./parameters.ts";
import { elementCount } from "./safetensors.ts";
import type { HostTensor } from "./types.ts";

/** One variable for each parameter, with the ops that load and read it. */
export class StoredTensors {
  readonly parameters: readonly Parameter[];
  private readonly byName = new Map<string, { variable: Variable; value: Tensor<"float32">; load: Load }>();

  /** @param prefix tells variables of one graph apart: "weight", "firstMoment", … */
  constructor(graph: Graph, prefix: string, parameters: readonly Parameter[]) {
    this.parameters = parameters;
    for (const { name, shape } of parameters) {
      const stored = variable(graph, `${prefix}/${name}`, shape);
      const fed = placeholder(graph, "float32");
      const load = { fed, done: afterAll(graph, [assign(stored, copy(fed))]) };
      this.byName.set(name, { variable: stored, value: read(stored), load });
    }
  }

  variable(name: string): Variable {
    return this.entry(name).variable;
  }

  /** The value at the start of the run; nodes that change it must run after its readers. */
  value(name: string): Tensor<"float32"> {
    return this.entry(name).value;
  }

  /** Loads host tensors by Hugging Face name. */
  load(session: Session, tensors: ReadonlyMap<string, HostTensor>): void {
    for (const parameter of this.parameters) {
      const { fed, done } = this.entry(parameter.name).load;
      const data = joinParts(parameter, tensors);
      const feeds = new Map<Tensor, FeedValue>([[fed, { dtype: "float32", shape: parameter.shape, data }]]);
      session.run([done], { feeds });
    }
  }

  /** Host copies by Hugging Face name. */
  fetch(session: Session): Map<string, HostTensor> {
    const tensors = new Map<string, HostTensor>();
    for (const parameter of this.parameters) {
      const [whole] = session.run([this.value(parameter.name)]);
      let offset = 0;
      for (const { name, shape } of parameter.parts) {
        const size = elementCount(shape);
        tensors.set(name, { shape, data: whole!.data.slice(offset, offset + size) });
        offset += size;
      }
    }
    return tensors;
  }

  private entry(name: string) {
    const entry = this.byName.get(name);
    if (!entry) throw new Error(`no parameter is called ${name}`);
    return entry;
  }
}

interface Load {
  readonly fed: Tensor<"float32">;
  readonly done: Tensor;
}

function joinParts({ shape, parts }: Parameter, tensors: ReadonlyMap<string, HostTensor>): Float32Array {
  const whole = new Float32Array(elementCount(shape));
  let offset = 0;
  for (const { name } of parts) {
    const { data } = tensors.get(name)!;
    whole.set(data, offset);
    offset += data.length;
  }
  return whole;
}
