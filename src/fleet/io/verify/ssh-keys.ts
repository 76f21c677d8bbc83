/**
 * SSH's public keys and the signatures that each kind of key makes. Sources: RFC 8709 (Ed25519), RFC 5656 (ECDSA),
 * RFC 8332 (RSA), OpenSSH's PROTOCOL.u2f (keys in hardware: the signed text has the application, flags and counter).
 *
 *     ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI…
 */
import { createHash, createPublicKey, verify, type KeyObject } from 'node:crypto';
import type { Cause } from '../../../../packages/base/problem.ts';
import { fail, ok, type Result } from '../../../../packages/base/result.ts';
import { WireReader } from './wire.ts';

export interface SshKey {
  readonly type: KeyType;
  readonly key: KeyObject;
  /** The purpose of a key in hardware. */
  readonly application?: string;
}

interface Kind {
  /** The name of its signatures. */
  readonly signature: string;
  readonly isHardware?: true;
  readonly read: (reader: WireReader) => KeyObject | undefined;
  readonly verify: (key: KeyObject, message: Buffer, signature: Buffer) => boolean;
}

/**
 * The points of Ed25519 whose order is at most 8, without the bit of the sign: anybody can sign for a key that is one of
 * them, where a library does not refuse it. Curve: RFC 8032, section 5.1; the last two are not in shortest form.
 */
const smallPoints: ReadonlySet<string> = new Set([
  `01${'00'.repeat(31)}`,
  `ec${'ff'.repeat(30)}7f`,
  '00'.repeat(32),
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
  `ed${'ff'.repeat(30)}7f`,
  `ee${'ff'.repeat(30)}7f`,
]);

function isSmall(point: Buffer): boolean {
  const y = Buffer.from(point);
  y.writeUInt8(y.readUInt8(31) & 0x7f, 31);
  return smallPoints.has(y.toString('hex'));
}

const ed25519: Omit<Kind, 'signature'> = {
  read(reader) {
    const x = reader.string();
    if (x.length !== 32 || isSmall(x)) return undefined;
    const jwk = { kty: 'OKP', crv: 'Ed25519', x: x.toString('base64url') };
    return createPublicKey({ key: jwk, format: 'jwk' });
  },
  verify: (key, message, signature) =>
    signature.length === 64 && verify(null, message, key, signature),
};

const p256: Omit<Kind, 'signature'> = {
  read(reader) {
    const curve = reader.text();
    const point = reader.string();
    if (curve !== 'nistp256' || point.length !== 65 || point[0] !== 4) return undefined;
    const [x, y] = [point.subarray(1, 33), point.subarray(33)].map((each) =>
      each.toString('base64url'),
    ) as [string, string];
    return createPublicKey({ key: { kty: 'EC', crv: 'P-256', x, y }, format: 'jwk' });
  },
  verify(key, message, signature) {
    const reader = new WireReader(signature);
    const numbers = [reader.positive(), reader.positive()];
    if (!reader.isWhole || numbers.some(({ length }) => length === 0 || length > 32)) return false;
    const both = Buffer.concat(numbers.flatMap((each) => [Buffer.alloc(32 - each.length), each]));
    return verify('sha256', message, { key, dsaEncoding: 'ieee-p1363' }, both);
  },
};

const rsaBits = { min: 2048, max: 8192 };
const rsa: Omit<Kind, 'signature'> = {
  read(reader) {
    const [e, n] = [reader.positive(), reader.positive()];
    const bits = n.length * 8;
    if (e.length === 0 || e.length > 8 || bits < rsaBits.min || bits > rsaBits.max)
      return undefined;
    const jwk = { kty: 'RSA', e: e.toString('base64url'), n: n.toString('base64url') };
    return createPublicKey({ key: jwk, format: 'jwk' });
  },
  verify: (key, message, signature) => verify('sha512', message, key, signature),
};

const kinds = {
  'ssh-ed25519': { ...ed25519, signature: 'ssh-ed25519' },
  'sk-ssh-ed25519@openssh.com': {
    ...ed25519,
    signature: 'sk-ssh-ed25519@openssh.com',
    isHardware: true,
  },
  'ecdsa-sha2-nistp256': { ...p256, signature: 'ecdsa-sha2-nistp256' },
  'sk-ecdsa-sha2-nistp256@openssh.com': {
    ...p256,
    signature: 'sk-ecdsa-sha2-nistp256@openssh.com',
    isHardware: true,
  },
  'ssh-rsa': { ...rsa, signature: 'rsa-sha2-512' },
} as const satisfies Record<string, Kind>;
type KeyType = keyof typeof kinds;

const isKnown = (type: string): type is KeyType => Object.hasOwn(kinds, type);

/** Reads a public key in its binary form. */
export function readKey(blob: Buffer): Result<SshKey, Cause> {
  const reader = new WireReader(blob);
  const type = reader.text();
  if (!isKnown(type))
    return fail({
      reason: `keys of type "${type.slice(0, 60)}" are not supported`,
      hint: `use one of ${Object.keys(kinds).join(', ')}`,
    });
  const kind: Kind = kinds[type];
  try {
    const key = kind.read(reader);
    const application = kind.isHardware && reader.text();
    if (key !== undefined && reader.isWhole)
      return ok({ type, key, ...(application !== undefined && { application }) });
  } catch {
    // OpenSSL refuses what is not a key: a point that is not on the curve.
  }
  return fail({ reason: `the key of type ${type} is damaged, or too weak` });
}

const touched = 0x01;

/** Verifies a signature in its binary form, over exactly this message. */
export function verifyWith(
  { type, key, application }: SshKey,
  message: Buffer,
  signature: Buffer,
): Result<true, Cause> {
  const kind: Kind = kinds[type];
  const reader = new WireReader(signature);
  const name = reader.text();
  if (name !== kind.signature)
    return fail({
      reason: `signatures "${name.slice(0, 60)}" of a key of type ${type} are not supported`,
    });
  const bytes = reader.string();
  if (application === undefined)
    return reader.isWhole && kind.verify(key, message, bytes) ? ok(true) : doesNotFit;
  const flags = reader.bytes(5);
  if (!reader.isWhole) return doesNotFit;
  if (((flags[0] ?? 0) & touched) === 0)
    return fail({ reason: 'the key in hardware signed without being touched' });
  const signed = Buffer.concat([sha256(application), flags, sha256(message)]);
  return kind.verify(key, signed, bytes) ? ok(true) : doesNotFit;
}

const doesNotFit = fail({ reason: 'the signature is not one of this text by this key' });
const sha256 = (content: string | Buffer) =>
  createHash('sha256').update(content, 'latin1').digest();
