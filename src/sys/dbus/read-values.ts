/**
 * Parses the bytes of a message into values. Anybody may have sent them: every length is checked before it is used, and
 * bytes that do not fit are refused as a whole. Source: D-Bus Specification, "Marshaling".
 */
import type { Cause } from '../../../packages/base/problem.ts';
import { fail, ok, type Result } from '../../../packages/base/result.ts';
import { isObjectPath } from './names.ts';
import { parseSignature, type BasicCode, type Type } from './signature.ts';
import { NotAValue, variantDepthMax, type Value, type Variant } from './value.ts';

/**
 * The maximum number of values in one message: single-byte values would take a hundred times the message's size as
 * objects.
 */
const valuesMax = 2 ** 20;

/** Parses the values. The error says why the bytes are not of this type: half a sentence. */
export function readValues(signature: string, bytes: Buffer): Result<readonly Value[], Cause> {
  try {
    const reader = new Reader(bytes);
    const values = reader.sequence(signature, 0);
    if (reader.at !== bytes.length) return fail({ reason: 'bytes are left over' });
    return ok(values);
  } catch (error) {
    if (error instanceof NotAValue) return fail({ reason: error.message });
    throw error;
  }
}

const refuse = (message: string): never => {
  throw new NotAValue(message);
};

const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

class Reader {
  readonly #bytes: Buffer;
  #at = 0;
  #values = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get at(): number {
    return this.#at;
  }

  sequence(signature: string, depth: number): Value[] {
    const types = parseSignature(signature) ?? refuse('its signature is not one');
    return types.map((type) => this.#value(type, depth));
  }

  #value(type: Type, depth: number): Value {
    this.#values += 1;
    if (this.#values > valuesMax) refuse(`it has more than ${valuesMax} values`);
    this.#align(type.align);
    if (type.kind === 'basic') return this.#basic(type.code);
    if (type.kind === 'variant') return this.#variant(depth);
    if (type.kind === 'array') return this.#array(type.of, depth);
    return type.fields.map((field) => this.#value(field, depth));
  }

  #basic(code: BasicCode): Value {
    if (code === 's' || code === 'o' || code === 'g') return this.#text(code);
    const bytes = this.#bytes;
    if (code === 'y') return bytes.readUInt8(this.#take(1));
    if (code === 'n') return bytes.readInt16LE(this.#take(2));
    if (code === 'q') return bytes.readUInt16LE(this.#take(2));
    if (code === 'i') return bytes.readInt32LE(this.#take(4));
    if (code === 'u') return bytes.readUInt32LE(this.#take(4));
    if (code === 'x') return bytes.readBigInt64LE(this.#take(8));
    if (code === 't') return bytes.readBigUInt64LE(this.#take(8));
    if (code === 'd') return bytes.readDoubleLE(this.#take(8));
    const value = bytes.readUInt32LE(this.#take(4));
    return value > 1 ? refuse('a boolean is neither true nor false') : value === 1;
  }

  #text(code: 's' | 'o' | 'g'): string {
    const length =
      code === 'g' ? this.#bytes.readUInt8(this.#take(1)) : this.#bytes.readUInt32LE(this.#take(4));
    const at = this.#take(length + 1);
    const value = decoded(this.#bytes.subarray(at, at + length));
    if (this.#bytes[at + length] !== 0 || value.includes('\0')) refuse('a string ends elsewhere');
    if (code === 'o' && !isObjectPath(value)) refuse('the path of an object is not one');
    return value;
  }

  #variant(depth: number): Variant {
    if (depth >= variantDepthMax) refuse('variants are too deep in each other');
    const signature = this.#text('g');
    const [value, ...more] = this.sequence(signature, depth + 1);
    if (value === undefined || more.length > 0) return refuse('a variant is not of one value');
    return { signature, value };
  }

  #array(of: Type, depth: number): Value {
    const length = this.#bytes.readUInt32LE(this.#take(4));
    this.#align(of.align);
    const start = this.#at;
    const end = start + length;
    if (end > this.#bytes.length) refuse('an array ends after the message');
    if (of.kind === 'basic' && of.code === 'y') {
      this.#take(length);
      return Uint8Array.from(this.#bytes.subarray(start, end));
    }
    const values: Value[] = [];
    while (this.#at < end) values.push(this.#value(of, depth));
    return this.#at === end ? values : refuse('the last value of an array ends after it');
  }

  #align(to: number): void {
    const from = this.#take((to - (this.#at % to)) % to);
    for (let at = from; at < this.#at; at++) {
      if (this.#bytes[at] !== 0) refuse('bytes between two values are not zero');
    }
  }

  #take(count: number): number {
    const at = this.#at;
    this.#at += count;
    return this.#at > this.#bytes.length ? refuse('a value ends after the message') : at;
  }
}

function decoded(bytes: Buffer): string {
  try {
    return text.decode(bytes);
  } catch {
    return refuse('a string is not UTF-8');
  }
}
