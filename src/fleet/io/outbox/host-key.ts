/** The key with which a host signs what it tells: `/var/lib/bulkhead/fleet/host.key`, which is made when it is missing. */
import { createPrivateKey, createPublicKey, generateKeyPairSync, sign } from 'node:crypto';
import { decodeText, readBounded } from '../../../../packages/base/io/regular-file.ts';
import { replaceFile } from '../../../../packages/base/io/replace-file.ts';
import { failed, type Problem } from '../../../../packages/base/problem.ts';
import { ok, type Result } from '../../../../packages/base/result.ts';
import { signedBytes, type HostNamespace, type SignedByHost } from '../../core/told/signed.ts';

const bytesMax = 4096;

export interface HostKey {
  readonly sign: (namespace: HostNamespace, document: string) => SignedByHost;
}

export function readHostKey(directory: string): Result<HostKey, Problem> {
  const object = `${directory}/host.key`;
  const read = readBounded(object, bytesMax, { links: 'refuse' });
  if (!read.ok && read.error.errno !== 'ENOENT') return read;
  if (!read.ok) return makeHostKey(object);
  try {
    return ok(hostKey(decodeText(read.value)));
  } catch {
    const hint = 'remove it: the centre must then forget the old one';
    return failed({ action: 'read the key', object, reason: 'it is damaged', hint });
  }
}

function makeHostKey(path: string): Result<HostKey, Problem> {
  const pem = generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' });
  const written = replaceFile(path, pem, 0o600);
  return written.ok ? ok(hostKey(pem)) : written;
}

function hostKey(pem: string): HostKey {
  const key = createPrivateKey(pem);
  const { x = '' } = createPublicKey(key).export({ format: 'jwk' });
  return {
    sign: (namespace, document) => ({
      format: 1,
      key: x,
      signature: sign(null, signedBytes(namespace, document), key).toString('base64url'),
      document,
    }),
  };
}
