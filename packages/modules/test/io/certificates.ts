/** Certificates and keys for tests, made by the program `openssl`. */
import '../../../../testing/guard/here.ts';
import { spawnSync } from 'node:child_process';
import { createPrivateKey, X509Certificate, type KeyObject } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryDirectory } from '../../../../testing/temporary-directory.ts';

export const noOpenssl: string | false =
  spawnSync('openssl', ['version']).status === 0 ? false : 'the program "openssl" is not installed';

export interface Identity {
  readonly der: Uint8Array;
  readonly key: KeyObject;
  readonly serial: string;
  readonly issuer: string;
}

/** Signs bytes as the build of a kernel does: PKCS#7 without attributes. */
export function signDetached(bytes: Uint8Array, { der, key }: Identity): Uint8Array {
  using scratch = temporaryDirectory('sign');
  const directory = scratch.path;
  const [file, certificate, secret] = ['file', 'cert', 'key'].map((name) => join(directory, name));
  writeFileSync(file!, bytes);
  writeFileSync(certificate!, new X509Certificate(der).toString());
  writeFileSync(secret!, key.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
  const how = ['-sign', '-binary', '-noattr', '-nocerts', '-md', 'sha256', '-outform', 'DER'];
  const argv = ['cms', ...how, '-signer', certificate!, '-inkey', secret!, '-in', file!];
  const run = spawnSync('openssl', argv);
  if (run.status !== 0) throw new Error(run.stderr.toString());
  return new Uint8Array(run.stdout);
}

export function makeIdentity(subject: string, kind: 'ec' | 'rsa', serial = '0x00a1b2c3'): Identity {
  using scratch = temporaryDirectory('cert');
  const directory = scratch.path;
  const [key, certificate] = [join(directory, 'key'), join(directory, 'cert')];
  const algorithm = kind === 'rsa' ? ['rsa:2048'] : ['ec', '-pkeyopt', 'ec_paramgen_curve:P-384'];
  const options = ['-nodes', '-days', '10', '-subj', subject, '-set_serial', serial];
  const files = ['-keyout', key, '-out', certificate, '-outform', 'DER'];
  const run = spawnSync('openssl', ['req', '-x509', '-newkey', ...algorithm, ...options, ...files]);
  if (run.status !== 0) throw new Error(run.stderr.toString());
  const der = new Uint8Array(readFileSync(certificate));
  const { serialNumber, issuer } = new X509Certificate(der);
  return {
    der,
    key: createPrivateKey(readFileSync(key)),
    serial: serialNumber.toLowerCase().replace(/^0+/, ''),
    issuer: issuer.split('\n').join(', '),
  };
}
