/**
 * Signatures as `ssh-keygen -Y sign` makes them, verified in this process. Source: OpenSSH's PROTOCOL.sshsig.
 *
 *     -----BEGIN SSH SIGNATURE-----
 *     U1NIU0lHAAAAAQAAADMAAAALc3NoLWVkMjU1MTkAAAAg…
 *     -----END SSH SIGNATURE-----
 */
import { createHash } from 'node:crypto';
import type { Cause } from '../../../../packages/base/problem.ts';
import { fail, ok, type Result } from '../../../../packages/base/result.ts';
import type { Namespace } from '../../core/documents.ts';
import { readKey, verifyWith } from './ssh-keys.ts';
import { WireReader, wireString } from './wire.ts';

export interface SshSignature {
  /** The public key that signed, in base64 as in `authorized_keys`. */
  readonly signer: string;
  readonly namespace: string;
  readonly hash: 'sha256' | 'sha512';
  /** Reserved for later versions of the format; it is signed as well. */
  readonly reserved: Buffer;
  readonly signature: Buffer;
}

const magic = 'SSHSIG';
const armor =
  /^-----BEGIN SSH SIGNATURE-----\r?\n(?<base64>[A-Za-z0-9+/=\r\n]+)-----END SSH SIGNATURE-----\s*$/;

export function readSignature(armored: string): Result<SshSignature, Cause> {
  const base64 = armor.exec(armored)?.groups?.['base64'];
  if (base64 === undefined) return fail({ reason: 'it is not an SSH signature' });
  const bytes = Buffer.from(base64, 'base64');
  // Node ignores what is not base64, so one signature would have many forms.
  if (bytes.toString('base64') !== base64.replaceAll(/[\r\n]/g, ''))
    return fail({ reason: 'the SSH signature is not in base64' });
  const reader = new WireReader(bytes);
  const isMagic = reader.bytes(magic.length).toString('latin1') === magic;
  const version = reader.number();
  if (!isMagic || version !== 1) return fail({ reason: 'it is not an SSH signature of version 1' });
  const signer = reader.string().toString('base64');
  const namespace = reader.text();
  const reserved = reader.string();
  const hash = reader.text();
  const signature = reader.string();
  if (!reader.isWhole) return fail({ reason: 'the SSH signature is damaged' });
  if (hash !== 'sha256' && hash !== 'sha512')
    return fail({ reason: `the SSH signature uses the hash "${hash.slice(0, 20)}"` });
  return ok({ signer, namespace, hash, reserved, signature });
}

/** Verifies that the signer signed exactly this text, for this namespace. */
export function verifySignature(
  { signer, namespace, hash, reserved, signature }: SshSignature,
  text: string,
  wanted: Namespace,
): Result<true, Cause> {
  if (namespace !== wanted)
    return fail({
      reason: `the signature is for "${namespace.slice(0, 60)}", not for "${wanted}"`,
    });
  const key = readKey(Buffer.from(signer, 'base64'));
  if (!key.ok) return key;
  const digest = createHash(hash).update(text).digest();
  const signed = Buffer.concat([
    Buffer.from(magic),
    ...[namespace, reserved, hash, digest].map(wireString),
  ]);
  return verifyWith(key.value, signed, signature);
}
