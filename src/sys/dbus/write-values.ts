/**
 * Writes values as the bytes of a message, little-endian. Source: D-Bus Specification,
 * "Marshaling".
 */
import type { Cause } from '../../../packages/base/problem.ts';
import { fail, ok, type Result } from '../../../packages/base/result.ts';
import { isObjectPath } from './names.ts';
import { parseSignature, type BasicCode, type Type } from './signature.ts';
import { NotAValue, variantDepthMax, type Value, type Variant } from './value.ts';

const bytesMax = 16 * 2 ** 20;
const signatureBytesMax = 255;

/** Writes the values. The error says why a value is not of its type: half a sentence. */
export function writeValues(signature: string, values: readonly Value[]): Result<Buffer, Cause> {
  try {
    const writer = new Writer();
    writer.sequence(signature, values, 0);
    return ok(writer.bytes());
  } catch (error) {
    if (error instanceof NotAValue) return fail({ reason: error.message });
    throw error;
  }
}

const refuse = (message: string): never => {
  throw new NotAValue(message);
};

type Ranges = Readonly<Record<'y' | 'n' | 'q' | 'i' | 'u', readonly [number, number]>>;
const ranges: Ranges = {
  y: [0, 2 ** 8 - 1],
  n: [-(2 ** 15), 2 ** 15 - 1],
  q: [0, 2 ** 16 - 1],
  i: [-(2 ** 31), 2 ** 31 - 1],
  u: [0, 2 ** 32 - 1],
};

class Writer {
  #buffer = Buffer.alloc(256);
  #length = 0;

  bytes(): Buffer {
    return this.#buffer.subarray(0, this.#length);
  }

  sequence(signature: string, values: readonly Value[], depth: number): void {
    const types = parseSignature(signature) ?? refuse(`"${signature}" is not a signature`);
    if (types.length !== values.length) refuse(`"${signature}" is not of ${values.length} values`);
    types.forEach((type, index) => this.#value(type, values[index]!, depth));
  }

  #value(type: Type, value: Value, depth: number): void {
    this.#align(type.align);
    if (type.kind === 'basic') this.#basic(type.code, value);
    else if (type.kind === 'variant') this.#variant(value, depth);
    else if (type.kind === 'array') this.#array(type.of, value, depth);
    else this.#struct(type.fields, value, depth);
  }

  #basic(code: BasicCode, value: Value): void {
    if (code === 's' || code === 'o' || code === 'g') return this.#text(code, value);
    if (code === 'x' || code === 't') return this.#long(code, value);
    if (code === 'd') {
      if (typeof value !== 'number') refuse('a d is a number');
      this.#put(8, (buffer, at) => buffer.writeDoubleLE(value as number, at));
    } else if (code === 'b') {
      if (typeof value !== 'boolean') refuse('a b is a boolean');
      this.#put(4, (buffer, at) => buffer.writeUInt32LE(value === true ? 1 : 0, at));
    } else this.#integer(code, value);
  }

  #integer(code: keyof Ranges, value: Value): void {
    const [min, max] = ranges[code];
    const number = typeof value === 'number' ? value : NaN;
    if (!Number.isInteger(number) || number < min || number > max) {
      refuse(`${number} is not a ${code}`);
    }
    if (code === 'y') this.#put(1, (buffer, at) => buffer.writeUInt8(number, at));
    else if (code === 'n') this.#put(2, (buffer, at) => buffer.writeInt16LE(number, at));
    else if (code === 'q') this.#put(2, (buffer, at) => buffer.writeUInt16LE(number, at));
    else if (code === 'i') this.#put(4, (buffer, at) => buffer.writeInt32LE(number, at));
    else this.#put(4, (buffer, at) => buffer.writeUInt32LE(number, at));
  }

  #long(code: 'x' | 't', value: Value): void {
    if (typeof value !== 'bigint') refuse(`a ${code} is a bigint`);
    const long = value as bigint;
    const fits =
      code === 'x' ? BigInt.asIntN(64, long) === long : BigInt.asUintN(64, long) === long;
    if (!fits) refuse(`${long} is not a ${code}`);
    this.#put(8, (buffer, at) => buffer.writeBigUInt64LE(BigInt.asUintN(64, long), at));
  }

  #text(code: 's' | 'o' | 'g', value: Value): void {
    if (typeof value !== 'string') refuse(`a ${code} is a string`);
    const text = value as string;
    if (text.includes('\0') || !text.isWellFormed())
      refuse('a string has characters that have no bytes');
    if (code === 'o' && !isObjectPath(text)) refuse(`"${text}" is not the path of an object`);
    if (code === 'g' && parseSignature(text) === undefined) refuse(`"${text}" is not a signature`);
    const length = Buffer.byteLength(text);
    if (code === 'g')
      this.#put(1, (buffer, at) => buffer.writeUInt8(Math.min(length, signatureBytesMax), at));
    else this.#put(4, (buffer, at) => buffer.writeUInt32LE(length, at));
    const at = this.#take(length + 1);
    this.#buffer.write(text, at, length, 'utf8');
  }

  #variant(value: Value, depth: number): void {
    if (depth >= variantDepthMax) refuse('variants are too deep in each other');
    if (typeof value !== 'object' || !('signature' in value)) refuse('a v is a variant');
    const { signature, value: held } = value as Variant;
    this.#text('g', signature);
    this.sequence(signature, [held], depth + 1);
  }

  #array(of: Type, value: Value, depth: number): void {
    const lengthAt = this.#take(4);
    this.#align(of.align);
    const start = this.#length;
    if (value instanceof Uint8Array && of.kind === 'basic' && of.code === 'y') {
      const at = this.#take(value.length);
      this.#buffer.set(value, at);
    } else {
      if (!Array.isArray(value)) refuse('an array is an array');
      for (const each of value as readonly Value[]) this.#value(of, each, depth);
    }
    this.#buffer.writeUInt32LE(this.#length - start, lengthAt);
  }

  #struct(fields: readonly Type[], value: Value, depth: number): void {
    if (!Array.isArray(value) || value.length !== fields.length) {
      refuse(`a struct is an array of ${fields.length}`);
    }
    fields.forEach((type, index) => this.#value(type, (value as readonly Value[])[index]!, depth));
  }

  #align(to: number): void {
    this.#take((to - (this.#length % to)) % to);
  }

  #put(bytes: number, write: (buffer: Buffer, at: number) => void): void {
    const at = this.#take(bytes);
    write(this.#buffer, at);
  }

  /** Returns the position of the next bytes, which are zero. The buffer may be another one then. */
  #take(count: number): number {
    const at = this.#length;
    this.#length += count;
    if (this.#length > bytesMax) refuse(`it is longer than ${bytesMax} bytes`);
    if (this.#length > this.#buffer.length) {
      const larger = Buffer.alloc(Math.max(this.#length, 2 * this.#buffer.length));
      this.#buffer.copy(larger);
      this.#buffer = larger;
    }
    return at;
  }
}
