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
  /** Labels by name, which has small letters; encoded once for all series that have the same object. */
  readonly labels: Readonly<Record<string, string>>;
  /** The earliest first. */
  readonly samples: readonly Sample[];
}

const bytesField = (number: number) => (number << 3) | 2;
const doubleField = (number: number) => (number << 3) | 1;
const varintField = (number: number) => number << 3;

export function writeRequest(all: readonly TimeSeries[]): Uint8Array {
  const out = new Writer();
  const inner = new Writer();
  const names = new Map<string, Uint8Array>();
  const labels = new Map<TimeSeries['labels'], Uint8Array>();
  for (const { name, labels: own, samples } of all) {
    inner.length = 0;
    // The receiver demands labels in order; names of small letters come after this one.
    inner.bytes(known(names, name, () => encoded([['__name__', name]])));
    inner.bytes(known(labels, own, () => encoded(Object.entries(own))));
    for (const each of samples) inner.sample(each);
    out.varint(bytesField(1));
    out.varint(inner.length);
    out.bytes(inner.written());
  }
  return out.written().slice();
}

function known<Key>(cache: Map<Key, Uint8Array>, key: Key, make: () => Uint8Array): Uint8Array {
  const before = cache.get(key);
  if (before !== undefined) return before;
  const made = make();
  cache.set(key, made);
  return made;
}

/** Encodes labels in their order; a receiver takes none without a value. */
function encoded(labels: readonly (readonly [string, string])[]): Uint8Array {
  const encoder = new TextEncoder();
  const all = new Writer();
  for (const pair of labels.filter(([, value]) => value !== '').sort(byName)) {
    const label = new Writer();
    for (const [at, text] of pair.entries()) {
      const bytes = encoder.encode(text);
      label.varint(bytesField(at + 1));
      label.varint(bytes.length);
      label.bytes(bytes);
    }
    all.varint(bytesField(1));
    all.varint(label.length);
    all.bytes(label.written());
  }
  return all.written().slice();
}

const byName = ([a]: readonly [string, string], [b]: readonly [string, string]) => (a < b ? -1 : 1);

const sampleLengthMax = 32;

class Writer {
  length = 0;
  #bytes = new Uint8Array(256);
  #view = new DataView(this.#bytes.buffer);

  written(): Uint8Array {
    return this.#bytes.subarray(0, this.length);
  }

  /** Writes a whole number from 0 to 2 ** 53. */
  varint(number: number): void {
    this.#reserve(8);
    let rest = number;
    for (; rest > 127; rest = Math.floor(rest / 128))
      this.#bytes[this.length++] = (rest % 128) | 128;
    this.#bytes[this.length++] = rest;
  }

  bytes(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.length);
    this.length += bytes.length;
  }

  sample({ at, value }: Sample): void {
    this.#reserve(sampleLengthMax);
    this.varint(bytesField(2));
    // A double, its field, the field of the time, and the time.
    this.varint(1 + 8 + 1 + varintLength(at));
    this.varint(doubleField(1));
    this.#view.setFloat64(this.length, value, true);
    this.length += 8;
    this.varint(varintField(2));
    this.varint(at);
  }

  #reserve(more: number): void {
    const needed = this.length + more;
    if (needed <= this.#bytes.length) return;
    const larger = new Uint8Array(Math.max(needed, 2 * this.#bytes.length));
    larger.set(this.#bytes.subarray(0, this.length));
    this.#bytes = larger;
    this.#view = new DataView(larger.buffer);
  }
}

function varintLength(number: number): number {
  let length = 1;
  for (let rest = number; rest > 127; rest = Math.floor(rest / 128)) length++;
  return length;
}
