/**
 * The key with which a centre leads rollouts: `controller` in its directory, which only its account reads. It is made when
 * it is missing, and has no power until people list `controller.pub` in the trust.
 */
import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  sign,
} from 'node:crypto';
import { join } from 'node:path';
import { decodeText, readBounded } from '../../../../packages/base/io/regular-file.ts';
import { replaceFile } from '../../../../packages/base/io/replace-file.ts';
import { failed, type Problem } from '../../../../packages/base/problem.ts';
import { ok, type Result } from '../../../../packages/base/result.ts';
import type { TrustDocument } from '../../core/documents.ts';
import { namespaces } from '../../core/documents.ts';
import { blobOf } from '../../core/parse.ts';
import { wireString } from '../verify/wire.ts';

const bytesMax = 4096;

export class ControllerKey {
  /** The public key as in `authorized_keys`, without a comment. */
  readonly publicKey: string;
  readonly #key: ReturnType<typeof createPrivateKey>;
  readonly #blob: Buffer;

  /** Throws if the text is no Ed25519 key. */
  constructor(pem: string) {
    this.#key = createPrivateKey(pem);
    const { x = '', crv } = createPublicKey(this.#key).export({ format: 'jwk' });
    if (crv !== 'Ed25519') throw new Error('It is not an Ed25519 key');
    const parts = ['ssh-ed25519', Buffer.from(x, 'base64url')];
    this.#blob = Buffer.concat(parts.map(wireString));
    this.publicKey = `ssh-ed25519 ${this.#blob.toString('base64')}`;
  }

  /** Whether people have listed it. */
  isListed({ controllers }: TrustDocument): boolean {
    return controllers.some((each) => blobOf(each) === this.#blob.toString('base64'));
  }

  /** Returns the armored signature of a record. Source: OpenSSH's PROTOCOL.sshsig. */
  sign(document: string): string {
    const digest = createHash('sha512').update(document).digest();
    const about = [namespaces.rollout, '', 'sha512'];
    const message = Buffer.concat([magic, ...[...about, digest].map(wireString)]);
    const signature = [wireString('ssh-ed25519'), wireString(sign(null, message, this.#key))];
    const version = Buffer.of(0, 0, 0, 1);
    const fields = [this.#blob, ...about, Buffer.concat(signature)];
    const base64 = Buffer.concat([magic, version, ...fields.map(wireString)]).toString('base64');
    const lines = base64.match(/.{1,70}/g) ?? [];
    return `-----BEGIN SSH SIGNATURE-----\n${lines.join('\n')}\n-----END SSH SIGNATURE-----\n`;
  }
}

const magic = Buffer.from('SSHSIG');

export function readControllerKey(directory: string): Result<ControllerKey, Problem> {
  const object = join(directory, 'controller');
  const read = readBounded(object, bytesMax, { links: 'refuse' });
  if (!read.ok && read.error.errno !== 'ENOENT') return read;
  const pem = read.ok ? decodeText(read.value) : newKey();
  const key = parse(object, pem);
  if (!key.ok) return key;
  const written = read.ok ? ok(undefined) : replaceFile(object, pem, 0o600);
  if (!written.ok) return written;
  const shown = replaceFile(`${object}.pub`, `${key.value.publicKey} centre\n`, 0o644);
  return shown.ok ? key : shown;
}

const newKey = (): string =>
  generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' });

function parse(object: string, pem: string): Result<ControllerKey, Problem> {
  try {
    return ok(new ControllerKey(pem));
  } catch {
    const hint = 'remove it, and add the new one to the trust';
    return failed({ action: 'read the key', object, reason: 'it is damaged', hint });
  }
}
