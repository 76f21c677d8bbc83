/**
 * D-Bus messages: sixteen bytes (order, type, flags, version, lengths, serial), header fields, and a body.
 *
 *     6c 01 00 01 | 00 00 00 00 | 01 00 00 00 | 6e 00 00 00 | (1, "/org/freedesktop/DBus") (3, "Hello") …
 *
 * Source: D-Bus Specification, "Message Format".
 */
import type { Cause } from '../../../packages/base/problem.ts';
import { fail, ok, type Result } from '../../../packages/base/result.ts';
import { readValues } from './read-values.ts';
import { variant, type Value, type Variant } from './value.ts';
import { writeValues } from './write-values.ts';

export type MessageKind = 'call' | 'return' | 'error' | 'signal';

export interface Message {
  readonly kind: MessageKind;
  readonly serial: number;
  readonly path?: string;
  readonly interface?: string;
  readonly member?: string;
  readonly errorName?: string;
  readonly replySerial?: number;
  readonly destination?: string;
  /** The sender's name, written by the bus, so that nobody can forge it. */
  readonly sender?: string;
  readonly signature: string;
  /** The body's bytes; `bodyOf` parses them on demand. */
  readonly body: Buffer;
}

const kinds: readonly (MessageKind | undefined)[] = [
  undefined,
  'call',
  'return',
  'error',
  'signal',
];
const fixedBytes = 16;
const littleEndian = 0x6c;
const bigEndian = 0x42;
const version = 1;
const fieldsSignature = 'a(yv)';
const noReplyExpected = 1;
/** Source: D-Bus Specification, "Message Format". */
const fieldsBytesMax = 2 ** 26;
export const messageBytesMax = 2 ** 27;

type FieldName = Exclude<keyof Message, 'kind' | 'serial' | 'body'>;
const fields: readonly (readonly [code: number, name: FieldName, signature: string])[] = [
  [1, 'path', 'o'],
  [2, 'interface', 's'],
  [3, 'member', 's'],
  [4, 'errorName', 's'],
  [5, 'replySerial', 'u'],
  [6, 'destination', 's'],
  [7, 'sender', 's'],
  [8, 'signature', 'g'],
];

/** A method of another client, with its arguments. */
export interface MethodCall {
  readonly destination: string;
  readonly path: string;
  readonly interface: string;
  readonly member: string;
  /** The signature of the arguments. */
  readonly signature?: string;
  readonly body?: readonly Value[];
}

interface Outgoing extends MethodCall {
  readonly serial: number;
  readonly expectsReply?: boolean;
}

/** Returns the bytes of a call; the error says what cannot be sent. */
export function writeCall(call: Outgoing): Result<Buffer, Cause> {
  const { serial, signature = '', expectsReply = true } = call;
  const body = writeValues(signature, call.body ?? []);
  if (!body.ok) return body;
  const held: Partial<Record<FieldName, Value>> = { ...call, signature };
  const header = writeValues(`yyyyuu${fieldsSignature}`, [
    littleEndian,
    kinds.indexOf('call'),
    expectsReply ? 0 : noReplyExpected,
    version,
    body.value.length,
    serial,
    fields.flatMap(([code, name, type]) => {
      const value = held[name];
      return value === undefined || value === '' ? [] : [[code, variant(type, value)]];
    }),
  ]);
  if (!header.ok) return header;
  return ok(Buffer.concat([padded(header.value), body.value]));
}

const toEight = (length: number) => length + ((8 - (length % 8)) % 8);

const padded = (bytes: Buffer) =>
  Buffer.concat([bytes, Buffer.alloc(toEight(bytes.length) - bytes.length)]);

export interface Extent {
  readonly kind: MessageKind | undefined;
  readonly bytes: number;
  /** Whether the byte order is ours. A message of the other byte order can be skipped, but not read. */
  readonly readable: boolean;
}

/** Returns the length of the message that begins here; undefined until its first bytes have come. */
export function extentOf(bytes: Buffer): Result<Extent | undefined, Cause> {
  if (bytes.length < fixedBytes) return ok(undefined);
  const order = bytes[0];
  if (order !== littleEndian && order !== bigEndian)
    return fail({ reason: 'it is in no known byte order' });
  if (bytes[3] !== version) return fail({ reason: `it is of version ${bytes[3]} of the protocol` });
  const number = (at: number) =>
    order === littleEndian ? bytes.readUInt32LE(at) : bytes.readUInt32BE(at);
  const fieldsBytes = number(12);
  const length = fixedBytes + toEight(fieldsBytes) + number(4);
  if (fieldsBytes > fieldsBytesMax || length > messageBytesMax)
    return fail({ reason: 'it is too long' });
  return ok({ kind: kinds[bytes[1] ?? 0], bytes: length, readable: order === littleEndian });
}

/** Parses a whole message, of the length that `extentOf` returned. */
export function readMessage(bytes: Buffer): Result<Message, Cause> {
  const bodyBytes = bytes.readUInt32LE(4);
  const bodyAt = bytes.length - bodyBytes;
  const headerBytes = fixedBytes + bytes.readUInt32LE(12);
  const header = readValues(`yyyyuu${fieldsSignature}`, bytes.subarray(0, headerBytes));
  if (!header.ok) return header;
  const [, kindNumber, , , , serial, list] = header.value;
  const kind = kinds[kindNumber as number];
  if (kind === undefined) return fail({ reason: 'it is of no known kind' });
  const held = fieldsOf(list as readonly [number, Variant][]);
  if (!held.ok) return held;
  return ok({
    signature: '',
    ...held.value,
    kind,
    serial: serial as number,
    body: bytes.subarray(bodyAt),
  });
}

/** Parses the fields. Fields of later versions are ignored, as the specification requires. */
function fieldsOf(
  list: readonly (readonly [number, Variant])[],
): Result<Partial<Record<FieldName, never>>, Cause> {
  const held: Partial<Record<FieldName, Value>> = {};
  for (const [code, { signature, value }] of list) {
    const field = fields.find(([known]) => known === code);
    if (field === undefined) continue;
    const [, name, type] = field;
    if (signature !== type) return fail({ reason: `its ${name} is not a ${type}` });
    held[name] = value;
  }
  return ok(held as Partial<Record<FieldName, never>>);
}

export const bodyOf = ({ signature, body }: Message): Result<readonly Value[], Cause> =>
  readValues(signature, body);
