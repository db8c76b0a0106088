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
import { elementCount, type HostTensor } from "@bertqa/core";
import type { Parameter } from "./parameters.ts";

/** One variable for each parameter, with the ops that load and read it. */
export class StoredTensors {
  readonly parameters: readonly Parameter[];
  private readonly byName = new Map<string, { variable: Variable; value: Tensor<"float32">; fed: Tensor<"float32"> }>();
  /** Runs that load parameters. Each set of targets is planned anew, so they are few; what a run feeds is held twice. */
  private readonly loads: readonly { readonly parameters: readonly Parameter[]; readonly done: Tensor }[];

  /** @param prefix tells variables of one graph apart: "weight", "firstMoment", … */
  constructor(graph: Graph, prefix: string, parameters: readonly Parameter[]) {
    this.parameters = parameters;
    const assigned = new Map(
      parameters.map(({ name, shape }) => {
        const stored = variable(graph, `${prefix}/${name}`, shape);
        const fed = placeholder(graph, "float32");
        this.byName.set(name, { variable: stored, value: read(stored), fed });
        return [name, assign(stored, copy(fed))];
      }),
    );
    this.loads = groupsOf(parameters).map((group) => ({
      parameters: group,
      done: afterAll(
        graph,
        group.map(({ name }) => assigned.get(name)!),
      ),
    }));
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
    for (const { parameters, done } of this.loads) {
      const feeds = new Map<Tensor, FeedValue>();
      for (const parameter of parameters) {
        const data = joinParts(parameter, tensors);
        feeds.set(this.entry(parameter.name).fed, { dtype: "float32", shape: parameter.shape, data });
      }
      session.run([done], { feeds });
    }
  }

  /** Host copies by Hugging Face name. */
  fetch(session: Session): Map<string, HostTensor> {
    const values = session.run(this.parameters.map(({ name }) => this.value(name)));
    const tensors = new Map<string, HostTensor>();
    for (const [index, { parts }] of this.parameters.entries()) {
      const { data } = values[index]!;
      let offset = 0;
      for (const { name, shape } of parts) {
        const size = elementCount(shape);
        tensors.set(name, { shape, data: parts.length === 1 ? data : data.slice(offset, offset + size) });
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

const groupBytes = 48_000_000;

/** Parameters in order, in groups of at most `groupBytes`; a larger one is alone. */
function groupsOf(parameters: readonly Parameter[]): Parameter[][] {
  const groups: Parameter[][] = [];
  let bytes = Infinity;
  for (const parameter of parameters) {
    const size = 4 * elementCount(parameter.shape);
    bytes += size;
    if (bytes > groupBytes) {
      groups.push([]);
      bytes = size;
    }
    groups.at(-1)!.push(parameter);
  }
  return groups;
}

function joinParts({ shape, parts }: Parameter, tensors: ReadonlyMap<string, HostTensor>): Float32Array {
  if (parts.length === 1) return tensors.get(parts[0]!.name)!.data;
  const whole = new Float32Array(elementCount(shape));
  let offset = 0;
  for (const { name } of parts) {
    const { data } = tensors.get(name)!;
    whole.set(data, offset);
    offset += data.length;
  }
  return whole;
}
