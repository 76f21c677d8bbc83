/** Certificates and keys for tests, made by the program `openssl`. */
import { spawnSync } from 'node:child_process';
import { createPrivateKey, X509Certificate, type KeyObject } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export const noOpenssl: string | false =
  spawnSync('openssl', ['version']).status === 0 ? false : 'the program "openssl" is not installed';

export interface Identity {
  readonly der: Uint8Array;
  readonly key: KeyObject;
  readonly serial: string;
  readonly issuer: string;
}

export function makeIdentity(subject: string, kind: 'ec' | 'rsa', serial = '0x00a1b2c3'): Identity {
  const folder = mkdtempSync(join(tmpdir(), 'bulkhead-cert-'));
  try {
    const [key, certificate] = [join(folder, 'key'), join(folder, 'cert')];
    const algorithm = kind === 'rsa' ? ['rsa:2048'] : ['ec', '-pkeyopt', 'ec_paramgen_curve:P-384'];
    const options = ['-nodes', '-days', '10', '-subj', subject, '-set_serial', serial];
    const files = ['-keyout', key, '-out', certificate, '-outform', 'DER'];
    const run = spawnSync('openssl', [
      'req',
      '-x509',
      '-newkey',
      ...algorithm,
      ...options,
      ...files,
    ]);
    if (run.status !== 0) throw new Error(run.stderr.toString());
    const der = new Uint8Array(readFileSync(certificate));
    const { serialNumber, issuer } = new X509Certificate(der);
    return {
      der,
      key: createPrivateKey(readFileSync(key)),
      serial: serialNumber.toLowerCase().replace(/^0+/, ''),
      issuer: issuer.split('\n').join(', '),
    };
  } finally {
    rmSync(folder, { recursive: true });
  }
}
