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
  const names = new Map<string, Uint8Array>();
  const labels = new Map<TimeSeries['labels'], Uint8Array>();
  const times = new Map<number, Uint8Array>();
  for (const { name, labels: own, samples } of all) {
    // The receiver demands labels in order; names of small letters come after this one.
    const itsName = known(names, name, () => encoded([['__name__', name]]));
    const itsLabels = known(labels, own, () => encoded(Object.entries(own)));
    const timeOf = (at: number) => known(times, at, () => timeField(at));
    let length = itsName.length + itsLabels.length;
    for (const { at } of samples) length += sampleHead + timeOf(at).length;
    out.varint(bytesField(1));
    out.varint(length);
    out.bytes(itsName);
    out.bytes(itsLabels);
    for (const { at, value } of samples) out.sample(value, timeOf(at));
  }
  return out.written().slice();
}

function timeField(at: number): Uint8Array {
  const field = new Writer();
  field.varint(varintField(2));
  field.varint(at);
  return field.written().slice();
}

function known<Key>(cache: Map<Key, Uint8Array>, key: Key, make: () => Uint8Array): Uint8Array {
  const before = cache.get(key);
  if (before !== undefined) return before;
  const made = make();
  cache.set(key, made);
  return made;
}

const encoder = new TextEncoder();

/** Encodes labels in their order; a receiver takes none without a value. */
function encoded(labels: readonly (readonly [string, string])[]): Uint8Array {
  const all = new Writer();
  for (const [name, value] of labels.filter(([, each]) => each !== '').sort(byName)) {
    const [first, second] = [encoder.encode(name), encoder.encode(value)];
    all.varint(bytesField(1));
    all.varint(lengthOf(first) + lengthOf(second));
    all.varint(bytesField(1));
    all.varint(first.length);
    all.bytes(first);
    all.varint(bytesField(2));
    all.varint(second.length);
    all.bytes(second);
  }
  return all.written();
}

/** Returns the length of bytes with their field and their own length. */
function lengthOf({ length }: Uint8Array): number {
  let own = 1;
  for (let rest = length; rest > 127; rest >>>= 7) own++;
  return 1 + own + length;
}

const byName = ([a]: readonly [string, string], [b]: readonly [string, string]) => (a < b ? -1 : 1);

/** A double with its field. */
const doubleLength = 9;
/** The same, after the field of the sample and its length. */
const sampleHead = 2 + doubleLength;

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

  /** Writes a sample, whose length takes one byte. */
  sample(value: number, time: Uint8Array): void {
    this.#reserve(sampleHead + time.length);
    this.#bytes[this.length++] = bytesField(2);
    this.#bytes[this.length++] = doubleLength + time.length;
    this.#bytes[this.length++] = doubleField(1);
    this.#view.setFloat64(this.length, value, true);
    this.length += 8;
    this.bytes(time);
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
