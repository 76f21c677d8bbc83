/**
 * How a connection begins: the server's greeting, the client's answer, and a request to authenticate in another way.
 * Source: MariaDB Server Documentation, "Connecting".
 */
import { fail, ok, type Result } from '../../../../packages/base/result.ts';
import { isFailure, notUnderstood, readFailure, type DatabaseFailure } from './failure.ts';
import { Fields } from './fields.ts';

export interface Greeting {
  /** The version as the server states it: `11.8.6-MariaDB-0+deb13u1 from Debian`. */
  readonly version: string;
  /** Random bytes, with which a password is proven. */
  readonly challenge: Uint8Array;
}

const protocolVersion = 10;
/** MariaDB puts this before its version, for clients that refuse versions above 5. */
const oldPrefix = /^5\.5\.5-(?=\d)/;
const challengeBytes = 20;

export function readGreeting(packet: Uint8Array): Result<Greeting, DatabaseFailure> {
  if (isFailure(packet)) return fail(readFailure(packet));
  const fields = new Fields(packet);
  if (fields.integer(1) !== protocolVersion) return fail(notUnderstood('a greeting'));
  const version = fields.zeroTerminated();
  fields.integer(4); // connection id
  const first = fields.bytes(8);
  fields.bytes(19); // zero, capabilities, character set, status, length of the challenge, reserved
  const second = fields.bytes(12);
  if (version === undefined || first === undefined || second === undefined)
    return fail(notUnderstood('a greeting'));
  const challenge = new Uint8Array([...first, ...second]);
  return ok({ version: version.replace(oldPrefix, ''), challenge });
}

/** CLIENT_LONG_PASSWORD, PROTOCOL_41, SECURE_CONNECTION, MULTI_RESULTS (to call procedures), PLUGIN_AUTH. */
const capabilities = 0x1 | 0x200 | 0x8000 | 0x20000 | 0x80000;
const packetBytesMax = 2 ** 24;
/** utf8mb4_general_ci. */
const characterSet = 45;

export const nativePassword = 'mysql_native_password';
/** Source: MySQL Reference Manual, "Caching SHA-2 Pluggable Authentication". */
export const sha2Password = 'caching_sha2_password';
/** Plugins that take the identity of the client's process from the kernel. */
export const socketPlugins: ReadonlySet<string> = new Set(['unix_socket', 'auth_socket']);

const encoder = new TextEncoder();

/** Returns the client's answer to the greeting. `proof` is empty if there is no password. */
export function loginOf(user: string, proof: Uint8Array): Uint8Array {
  const head = new DataView(new ArrayBuffer(32));
  head.setUint32(0, capabilities, true);
  head.setUint32(4, packetBytesMax, true);
  head.setUint8(8, characterSet);
  return new Uint8Array([
    ...new Uint8Array(head.buffer),
    ...encoder.encode(`${user}\0`),
    proof.length,
    ...proof,
    ...encoder.encode(`${nativePassword}\0`),
  ]);
}

/** The next step of a login. */
export type LoginStep =
  | { readonly kind: 'accepted' }
  | { readonly kind: 'prove'; readonly plugin: string; readonly challenge: Uint8Array }
  /** The plugin's own answer: the proof is right, or the password itself is needed. */
  | { readonly kind: 'proven' }
  | { readonly kind: 'password' };

export function readLoginStep(packet: Uint8Array): Result<LoginStep, DatabaseFailure> {
  if (isFailure(packet)) return fail(readFailure(packet));
  if (packet[0] === 0) return ok({ kind: 'accepted' });
  if (packet[0] === 1 && packet.length === 2 && packet[1] === 3) return ok({ kind: 'proven' });
  if (packet[0] === 1 && packet.length === 2 && packet[1] === 4) return ok({ kind: 'password' });
  const fields = new Fields(packet);
  const mark = fields.integer(1);
  const plugin = fields.zeroTerminated();
  if (mark !== 0xfe || plugin === undefined) return fail(notUnderstood('an answer to the login'));
  const challenge = (fields.rest() ?? new Uint8Array()).subarray(0, challengeBytes);
  return ok({ kind: 'prove', plugin, challenge });
}
