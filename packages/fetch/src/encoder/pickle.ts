/** A name that a pickle asks for, `torch._utils._rebuild_tensor_v2`: a mark only, nothing is ever looked up or run. */
export class PickleGlobal {
  readonly name: string;

  constructor(name: string) {
    this.name = name;
  }
}

/** A call that a pickle asks for, written down. */
export class PickleCall {
  readonly callee: string;
  readonly args: readonly unknown[];

  constructor(callee: string, args: readonly unknown[]) {
    this.callee = callee;
    this.args = args;
  }
}

/** A reference to data beside the pickle: in PyTorch's files, a storage. */
export class PersistentId {
  readonly id: unknown;

  constructor(id: unknown) {
    this.id = id;
  }
}

/** Dictionaries are Maps, lists and tuples arrays. */
export type PickleDict = Map<unknown, unknown>;

const mark = Symbol("mark");

/**
 * Reads the pickles of a PyTorch state dict: dictionaries, lists, tuples, texts, numbers, and the names in `allowed`. A
 * pickle is a program; this reader writes its calls down instead of making them, and refuses every opcode and name that
 * a dictionary of tensors has no use for. Opcodes: Python's `pickletools.py`.
 */
export class PickleReader {
  #at: number;
  readonly #bytes: Buffer;
  readonly #allowed: ReadonlySet<string>;
  #stack: unknown[] = [];
  #memo = new Map<number, unknown>();

  constructor(bytes: Buffer, allowed: ReadonlySet<string>, start = 0) {
    this.#bytes = bytes;
    this.#allowed = allowed;
    this.#at = start;
  }

  /** Where the next pickle, or what follows the last one, begins. */
  get position(): number {
    return this.#at;
  }

  /** @throws Error naming the opcode or name that is refused, or where the bytes end */
  read(): unknown {
    this.#stack = [];
    this.#memo = new Map();
    for (;;) {
      const opcode = this.#take(1)[0] as number;
      if (opcode === 0x2e) return this.#pop(); // STOP
      const run = opcodes[opcode];
      if (!run) throw new Error(`opcode 0x${opcode.toString(16).padStart(2, "0")} at byte ${this.#at - 1}`);
      run(this.ops);
    }
  }

  /** @internal */
  readonly ops = {
    push: (value: unknown) => void this.#stack.push(value),
    mark: () => void this.#stack.push(mark),
    uint8: () => this.#take(1)[0] as number,
    uint16: () => this.#take(2).readUInt16LE(),
    uint32: () => this.#take(4).readUInt32LE(),
    int32: () => this.#take(4).readInt32LE(),
    double: () => this.#take(8).readDoubleBE(),
    text: (length: number) => this.#take(length).toString("utf8"),
    skip: (length: number) => void this.#take(length),
    long: (length: number) => {
      const bytes = this.#take(length);
      let value = 0n;
      for (let i = length - 1; i >= 0; i--) value = (value << 8n) | BigInt(bytes[i] as number);
      return Number(length > 0 && (bytes[length - 1] as number) >= 0x80 ? value - (1n << BigInt(8 * length)) : value);
    },
    tuple: (length: number) => void this.#stack.push(this.#stack.splice(this.#stack.length - length, length)),
    sinceMark: () => {
      const at = this.#stack.lastIndexOf(mark);
      if (at < 0) throw new Error("a list without its mark");
      const items = this.#stack.splice(at);
      return items.slice(1);
    },
    pop: () => this.#pop(),
    top: () => this.#stack.at(-1),
    remember: (key: number) => void this.#memo.set(key, this.#stack.at(-1)),
    memoSize: () => this.#memo.size,
    recall: (key: number) => void this.#stack.push(this.#memo.get(key)),
    global: (module: unknown, name: unknown) => {
      const full = `${String(module)}.${String(name)}`;
      if (!this.#allowed.has(full)) throw new Error(`the name ${full}`);
      this.#stack.push(new PickleGlobal(full));
    },
    line: () => {
      const end = this.#bytes.indexOf(0x0a, this.#at);
      if (end < 0) throw new Error("the end of the file in the middle of a name");
      return this.#take(end + 1 - this.#at)
        .toString("utf8")
        .slice(0, -1);
    },
  };

  #pop(): unknown {
    if (this.#stack.length === 0) throw new Error("more taken than was put");
    return this.#stack.pop();
  }

  #take(length: number): Buffer {
    if (this.#at + length > this.#bytes.length) throw new Error("the end of the file in the middle of a value");
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }
}

type Ops = PickleReader["ops"];

function setItems(ops: Ops, pairs: readonly unknown[]): void {
  const dict = ops.top();
  // An OrderedDict is made by a call without arguments and filled afterwards.
  if (!(dict instanceof Map)) throw new Error("items set on something that is no dictionary");
  for (let i = 0; i + 1 < pairs.length; i += 2) dict.set(pairs[i], pairs[i + 1]);
}

function reduce(ops: Ops): void {
  const args = ops.pop();
  const callee = ops.pop();
  if (!(callee instanceof PickleGlobal) || !Array.isArray(args)) throw new Error("a call of something that is no name");
  ops.push(
    callee.name === "collections.OrderedDict" && args.length === 0 ? new Map() : new PickleCall(callee.name, args),
  );
}

function appends(ops: Ops, items: readonly unknown[]): void {
  const list = ops.top();
  if (!Array.isArray(list)) throw new Error("items appended to something that is no list");
  for (const item of items) list.push(item);
}

const opcodes: Readonly<Record<number, (ops: Ops) => void>> = {
  0x80: (ops) => ops.skip(1), // PROTO
  0x95: (ops) => ops.skip(8), // FRAME
  0x28: (ops) => ops.mark(), // MARK
  0x7d: (ops) => ops.push(new Map()), // EMPTY_DICT
  0x5d: (ops) => ops.push([]), // EMPTY_LIST
  0x29: (ops) => ops.push([]), // EMPTY_TUPLE
  0x4e: (ops) => ops.push(null), // NONE
  0x88: (ops) => ops.push(true), // NEWTRUE
  0x89: (ops) => ops.push(false), // NEWFALSE
  0x4b: (ops) => ops.push(ops.uint8()), // BININT1
  0x4d: (ops) => ops.push(ops.uint16()), // BININT2
  0x4a: (ops) => ops.push(ops.int32()), // BININT
  0x8a: (ops) => ops.push(ops.long(ops.uint8())), // LONG1
  0x47: (ops) => ops.push(ops.double()), // BINFLOAT
  0x58: (ops) => ops.push(ops.text(ops.uint32())), // BINUNICODE
  0x8c: (ops) => ops.push(ops.text(ops.uint8())), // SHORT_BINUNICODE
  0x55: (ops) => ops.push(ops.text(ops.uint8())), // SHORT_BINSTRING
  0x54: (ops) => ops.push(ops.text(ops.uint32())), // BINSTRING
  0x85: (ops) => ops.tuple(1), // TUPLE1
  0x86: (ops) => ops.tuple(2), // TUPLE2
  0x87: (ops) => ops.tuple(3), // TUPLE3
  0x74: (ops) => ops.push(ops.sinceMark()), // TUPLE
  0x6c: (ops) => ops.push(ops.sinceMark()), // LIST
  0x71: (ops) => ops.remember(ops.uint8()), // BINPUT
  0x72: (ops) => ops.remember(ops.uint32()), // LONG_BINPUT
  0x94: (ops) => ops.remember(ops.memoSize()), // MEMOIZE
  0x68: (ops) => ops.recall(ops.uint8()), // BINGET
  0x6a: (ops) => ops.recall(ops.uint32()), // LONG_BINGET
  0x63: (ops) => ops.global(ops.line(), ops.line()), // GLOBAL
  0x93: (ops) => {
    // STACK_GLOBAL
    const name = ops.pop();
    ops.global(ops.pop(), name);
  },
  0x51: (ops) => ops.push(new PersistentId(ops.pop())), // BINPERSID
  0x52: reduce, // REDUCE
  0x61: (ops) => appends(ops, [ops.pop()]), // APPEND
  0x65: (ops) => appends(ops, ops.sinceMark()), // APPENDS
  0x73: (ops) => {
    // SETITEM
    const value = ops.pop();
    setItems(ops, [ops.pop(), value]);
  },
  0x75: (ops) => setItems(ops, ops.sinceMark()), // SETITEMS
  0x62: (ops) => {
    // BUILD: a state dict's `_metadata`, which says nothing of its tensors.
    ops.pop();
    if (!(ops.top() instanceof Map)) throw new Error("a state set on something that is no dictionary");
  },
};
