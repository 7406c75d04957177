/**
 * A pickle as data. Nothing of it is executed: a class is its name, a call stays a note of what would be called. Opcodes
 * are those of Lib/pickletools.py, protocols 2 to 5, as far as torch.save writes them.
 */

/** A name of a class or function: `torch.FloatStorage`. */
export class PickledName {
  constructor(readonly name: string) {}
}
/** What a pickle wants to be called; it is not. */
export class PickledCall {
  constructor(
    readonly callee: Pickled,
    readonly args: Pickled,
  ) {}
}
/** Something stored outside of the pickle. */
export class PickledReference {
  constructor(readonly id: Pickled) {}
}
export type Pickled =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | Pickled[]
  | Map<Pickled, Pickled>
  | PickledName
  | PickledCall
  | PickledReference;

/** A pickle that is damaged, or of a kind that is not read. */
export class PickleError extends Error {}

const MARK = Symbol('mark');
type Slot = Pickled | typeof MARK;

function fail(what: string): never {
  throw new PickleError(what);
}
const ORDERED = 'collections.OrderedDict';

/** The machine: a stack, a memo, and bytes. */
class Unpickler {
  readonly stack: Slot[] = [];
  private readonly memo = new Map<number, Pickled>();
  private readonly view: DataView;
  private readonly decoder = new TextDecoder('utf-8', { fatal: true });

  constructor(
    private readonly data: Uint8Array,
    public at: number,
  ) {
    this.view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  }

  take(length: number): Uint8Array {
    if (length > this.data.length - this.at) return fail('it ends in the middle');
    this.at += length;
    return this.data.subarray(this.at - length, this.at);
  }
  u8 = (): number => this.take(1)[0];
  u16 = (): number => this.u8() + 256 * this.u8();
  i32(): number {
    this.take(4);
    return this.view.getInt32(this.at - 4, true);
  }
  u32 = (): number => this.i32() >>> 0;
  f64(): number {
    this.take(8);
    return this.view.getFloat64(this.at - 8, false);
  }
  u64(): number {
    this.take(8);
    const value = this.view.getBigUint64(this.at - 8, true);
    return value > BigInt(Number.MAX_SAFE_INTEGER) ? fail('a length above 2^53') : Number(value);
  }
  text(length: number): string {
    const bytes = this.take(length);
    try {
      return this.decoder.decode(bytes);
    } catch {
      return fail('text that is not UTF-8');
    }
  }
  line(): string {
    const end = this.data.indexOf(0x0a, this.at);
    if (end < 0) return fail('a line without an end');
    const line = this.text(end - this.at);
    this.at++;
    return line;
  }
  /** A whole number of any length, little-endian, two's complement. */
  long(length: number): number | bigint {
    if (length > 64) return fail(`a number of ${length} bytes`);
    let value = 0n;
    for (const [i, byte] of this.take(length).entries()) value |= BigInt(byte) << BigInt(8 * i);
    const signed = BigInt.asIntN(8 * length, value);
    return Number.isSafeInteger(Number(signed)) ? Number(signed) : signed;
  }

  push = (value: Slot): unknown => this.stack.push(value);
  pop(): Pickled {
    const value = this.stack.pop();
    return value === undefined || value === MARK ? fail('its stack is empty') : (value as Pickled);
  }
  top(): Pickled {
    const value = this.stack.at(-1);
    return value === undefined || value === MARK ? fail('its stack is empty') : (value as Pickled);
  }
  /** Everything above the last mark, which goes too. */
  popMark(): Pickled[] {
    const at = this.stack.lastIndexOf(MARK);
    if (at < 0) return fail('a mark is missing');
    const values = this.stack.splice(at).slice(1);
    return values as Pickled[];
  }
  remember = (index: number): unknown => this.memo.set(index, this.top());
  memoize = (): unknown => this.memo.set(this.memo.size, this.top());
  recall(index: number): void {
    const value = this.memo.get(index);
    this.push(value === undefined ? fail('it refers to nothing') : value);
  }
  setItems(items: readonly Pickled[]): void {
    const target = this.top();
    if (items.length % 2 !== 0) fail('a key without a value');
    if (!(target instanceof Map)) return; // an object of a class: its content does not matter here
    for (let i = 0; i < items.length; i += 2) target.set(items[i], items[i + 1]);
  }
  append(items: readonly Pickled[]): void {
    const target = this.top();
    if (Array.isArray(target)) for (const item of items) target.push(item);
  }
  /** Notes a call. An ordered dictionary is the one thing that is made. */
  call(): void {
    const args = this.pop();
    const callee = this.pop();
    const isDict = callee instanceof PickledName && callee.name === ORDERED && Array.isArray(args) && args.length === 0;
    this.push(isDict ? new Map<Pickled, Pickled>() : new PickledCall(callee, args));
  }
}

const tuple = (count: number) => (u: Unpickler) => {
  const items = Array.from({ length: count }, () => u.pop());
  u.push(items.reverse());
};

/** What each opcode does. */
const OPCODES: Readonly<Record<number, (u: Unpickler) => unknown>> = {
  128: (u) => (u.u8() > 5 ? fail('a protocol above 5') : null), // PROTO
  149: (u) => u.u64(), // FRAME
  40: (u) => u.push(MARK), // MARK
  48: (u) => u.stack.pop(), // POP
  49: (u) => u.popMark(), // POP_MARK
  50: (u) => u.push(u.top()), // DUP
  78: (u) => u.push(null), // NONE
  136: (u) => u.push(true), // NEWTRUE
  137: (u) => u.push(false), // NEWFALSE
  74: (u) => u.push(u.i32()), // BININT
  75: (u) => u.push(u.u8()), // BININT1
  77: (u) => u.push(u.u16()), // BININT2
  138: (u) => u.push(u.long(u.u8())), // LONG1
  139: (u) => u.push(u.long(u.u32())), // LONG4
  71: (u) => u.push(u.f64()), // BINFLOAT
  88: (u) => u.push(u.text(u.u32())), // BINUNICODE
  140: (u) => u.push(u.text(u.u8())), // SHORT_BINUNICODE
  141: (u) => u.push(u.text(u.u64())), // BINUNICODE8
  85: (u) => u.push(u.take(u.u8())), // SHORT_BINSTRING
  84: (u) => u.push(u.take(u.u32())), // BINSTRING
  67: (u) => u.push(u.take(u.u8())), // SHORT_BINBYTES
  66: (u) => u.push(u.take(u.u32())), // BINBYTES
  93: (u) => u.push([]), // EMPTY_LIST
  108: (u) => u.push(u.popMark()), // LIST
  97: (u) => u.append([u.pop()]), // APPEND
  101: (u) => u.append(u.popMark()), // APPENDS
  41: (u) => u.push([]), // EMPTY_TUPLE
  116: (u) => u.push(u.popMark()), // TUPLE
  133: tuple(1),
  134: tuple(2),
  135: tuple(3),
  125: (u) => u.push(new Map()), // EMPTY_DICT
  115: (u) => u.setItems([u.pop(), u.pop()].reverse()), // SETITEM
  117: (u) => u.setItems(u.popMark()), // SETITEMS
  143: (u) => u.push([]), // EMPTY_SET
  144: (u) => u.append(u.popMark()), // ADDITEMS
  113: (u) => u.remember(u.u8()), // BINPUT
  114: (u) => u.remember(u.u32()), // LONG_BINPUT
  148: (u) => u.memoize(), // MEMOIZE
  104: (u) => u.recall(u.u8()), // BINGET
  106: (u) => u.recall(u.u32()), // LONG_BINGET
  99: (u) => u.push(new PickledName(`${u.line()}.${u.line()}`)), // GLOBAL
  147: (u) => {
    const name = u.pop();
    u.push(new PickledName(`${u.pop()}.${name}`)); // STACK_GLOBAL
  },
  82: (u) => u.call(), // REDUCE
  129: (u) => u.call(), // NEWOBJ
  98: (u) => u.pop(), // BUILD: the state of an object, such as the versions beside a state_dict
  81: (u) => u.push(new PickledReference(u.pop())), // BINPERSID
};
const STOP = 0x2e;

/**
 * Reads one pickle.
 * @returns its value, and where it ends
 * @throws {PickleError} damaged, or with an opcode that no file of weights has
 */
export function readPickle(data: Uint8Array, start = 0): { readonly value: Pickled; readonly end: number } {
  const unpickler = new Unpickler(data, start);
  for (;;) {
    const code = unpickler.u8();
    if (code === STOP) return { value: unpickler.pop(), end: unpickler.at };
    const opcode = OPCODES[code];
    if (opcode === undefined) fail(`opcode 0x${code.toString(16)}`);
    opcode(unpickler);
  }
}
