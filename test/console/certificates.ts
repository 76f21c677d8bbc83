/** Certificates for tests, which OpenSSL makes. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import type { CertificatePair } from '../../src/console/io/certificate.ts';

export const hasOpenssl = spawnSync('openssl', ['version']).status === 0;

/** Makes a certificate for names of hosts, in two files that only root can read. */
export function makeCertificate(
  path: string,
  names: readonly string[],
): CertificatePair & { readonly files: { readonly certificate: string; readonly key: string } } {
  const files = { certificate: `${path}.pem`, key: `${path}.key` };
  const alternative = names.map((each) => `DNS:${each}`).join(',');
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  const subject = ['-subj', '/CN=test', '-addext', `subjectAltName=${alternative}`];
  const output = ['-keyout', files.key, '-out', files.certificate];
  const args = ['req', '-x509', '-days', '30', ...curve, ...subject, ...output];
  const made = spawnSync('openssl', args, { encoding: 'utf8' });
  assert.equal(made.status, 0, made.stderr);
  const read = (file: string) => readFileSync(file, 'utf8');
  return { certificate: read(files.certificate), key: read(files.key), files };
}
