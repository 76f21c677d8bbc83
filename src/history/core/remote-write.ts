/**
 * A request of Prometheus remote write 1.0, in the format of protocol buffers:
 *
 *     WriteRequest { repeated TimeSeries timeseries = 1; }
 *     TimeSeries   { repeated Label labels = 1; repeated Sample samples = 2; }
 *     Label        { string name = 1; string value = 2; }
 *     Sample       { double value = 1; int64 timestamp = 2; }
 *
 * Source: https://prometheus.io/docs/specs/prw/remote_write_spec/
 */

export interface Sample {
  /** The time in milliseconds since 1970. */
  readonly at: number;
  readonly value: number;
}

export interface TimeSeries {
  readonly name: string;
  /** Labels by name, which has small letters; encoded once for series in succession that have the same object. */
  readonly labels: Readonly<Record<string, string>>;
  /** The earliest first. */
  readonly samples: readonly Sample[];
}

const bytesField = (number: number) => (number << 3) | 2;
const doubleField = (number: number) => (number << 3) | 1;
const varintField = (number: number) => number << 3;

/** The longest varint, with its field. */
const varintMax = 9;
/** The bytes of most series: a buffer that grows would be filled several times. */
const typicalLength = 160;

export function writeRequest(all: readonly TimeSeries[]): Uint8Array {
  const out = new Writer(all.length * typicalLength);
  const texts: Texts = new Map();
  const names: Texts = new Map();
  const encoded = new Writer(1024);
  let labels: TimeSeries['labels'] | undefined;
  let itsLabels = encoded.written();
  for (const { name, labels: own, samples } of all) {
    // The receiver demands labels in order; names of small letters come after this one.
    const itsName = known(names, name, () => nameLabel(name));
    if (own !== labels) {
      labels = own;
      encoded.length = 0;
      writeLabels(encoded, own, texts);
      itsLabels = encoded.written();
    }
    let length = itsName.length + itsLabels.length;
    for (const { at } of samples) length += sampleHead + sampleLength(at);
    out.reserve(varintMax + length);
    out.head(1, length);
    out.bytes(itsName);
    out.bytes(itsLabels);
    for (const { at, value } of samples) out.sample(value, at);
  }
  return out.written();
}

function nameLabel(name: string): Uint8Array {
  const label = new Writer(0);
  label.label(Buffer.from('__name__'), Buffer.from(name));
  return label.written();
}

/** Texts that many series share, and their bytes. */
type Texts = Map<string, Uint8Array>;

function known(cache: Texts, text: string, make: () => Uint8Array): Uint8Array {
  const before = cache.get(text);
  if (before !== undefined) return before;
  const made = make();
  cache.set(text, made);
  return made;
}

/** Writes labels in the order of their names; a receiver takes none without a value. */
function writeLabels(out: Writer, labels: TimeSeries['labels'], texts: Texts): void {
  for (const [name, value] of Object.entries(labels).sort(byName))
    if (value !== '')
      out.label(
        known(texts, name, () => Buffer.from(name)),
        known(texts, value, () => Buffer.from(value)),
      );
}

const byName = ([a]: readonly [string, string], [b]: readonly [string, string]) => (a < b ? -1 : 1);

/** Returns the length of a whole number from 0 to 2 ** 53. */
function varintLength(number: number): number {
  let length = 1;
  for (let end = 128; number >= end; end *= 128) length++;
  return length;
}

/** Returns the length of bytes with their field and their own length. */
const lengthOf = ({ length }: Uint8Array) => 1 + varintLength(length) + length;

/** The field of a sample, and its length, which takes one byte. */
const sampleHead = 2;
/** A double, with its field, and a time with its. */
const sampleLength = (at: number) => 9 + 1 + varintLength(at);

/** Bytes that grow. Only label() makes room itself: the others are called too often for it. */
class Writer {
  length = 0;
  #bytes: Uint8Array;
  #view: DataView;

  constructor(size: number) {
    this.#bytes = new Uint8Array(size);
    this.#view = new DataView(this.#bytes.buffer);
  }

  written(): Uint8Array {
    return this.#bytes.subarray(0, this.length);
  }

  reserve(more: number): void {
    const needed = this.length + more;
    if (needed <= this.#bytes.length) return;
    const larger = new Uint8Array(Math.max(needed, 2 * this.#bytes.length));
    larger.set(this.written());
    this.#bytes = larger;
    this.#view = new DataView(larger.buffer);
  }

  label(name: Uint8Array, value: Uint8Array): void {
    const length = lengthOf(name) + lengthOf(value);
    this.reserve(varintMax + length);
    this.head(1, length);
    this.head(1, name.length);
    this.bytes(name);
    this.head(2, value.length);
    this.bytes(value);
  }

  /** Writes the field of bytes, and their length. */
  head(field: number, length: number): void {
    this.#bytes[this.length++] = bytesField(field);
    this.#varint(length);
  }

  bytes(bytes: Uint8Array): void {
    this.#bytes.set(bytes, this.length);
    this.length += bytes.length;
  }

  sample(value: number, at: number): void {
    this.head(2, sampleLength(at));
    this.#bytes[this.length++] = doubleField(1);
    this.#view.setFloat64(this.length, value, true);
    this.length += 8;
    this.#bytes[this.length++] = varintField(2);
    this.#varint(at);
  }

  #varint(number: number): void {
    let rest = number;
    // Operators for bits are fast, but take 32 of them.
    for (; rest > 0x7fff_ffff; rest = Math.floor(rest / 128))
      this.#bytes[this.length++] = (rest % 128) | 128;
    for (; rest > 127; rest >>>= 7) this.#bytes[this.length++] = (rest & 127) | 128;
    this.#bytes[this.length++] = rest;
  }
}
