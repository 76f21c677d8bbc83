/** The certificate and the key of the console, read by the agent: the front never opens them. */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { createSecureContext } from 'node:tls';
import { failed, type Cause, type Problem } from '../../../packages/base/problem.ts';
import { ok, type Result } from '../../../packages/base/result.ts';
import { decodeText, openRegularFile, readWhole } from '../../../packages/base/io/regular-file.ts';
import type { ConsoleTls } from '../../policy/elements/console-settings.ts';

export interface CertificatePair {
  /** The certificate and its issuers' certificates, in PEM. */
  readonly certificate: string;
  /** The private key, in PEM. */
  readonly key: string;
}

const bytesMax = 256 * 1024;

/** Reads both files; they must belong to root and to each other. */
export function readCertificate(
  files: Pick<ConsoleTls, 'certificate' | 'key'>,
): Result<CertificatePair, Problem> {
  const certificate = readOwn(files.certificate, 'the certificate', 0o022);
  if (!certificate.ok) return certificate;
  const key = readOwn(files.key, 'the key', 0o077);
  if (!key.ok) return key;
  const pair = { certificate: certificate.value, key: key.value };
  const cause = whyUnusable(pair);
  const object = files.certificate;
  return cause === undefined
    ? ok(pair)
    : failed({ ...cause, action: 'use the certificate', object });
}

/** Reads a file of root's that others do not have the rights `mode` on. */
function readOwn(path: string, what: string, mode: number): Result<string, Problem> {
  const refuse = (cause: Cause) => failed({ ...cause, action: `use ${what}`, object: path });
  // Certificates of certbot are links.
  const opened = openRegularFile(path, { links: 'follow' });
  if (!opened.ok) return refuse(opened.error);
  using file = opened.value;
  if (file.stat.uid !== 0)
    return refuse({ reason: `it belongs to uid ${file.stat.uid}, not to root` });
  if ((file.stat.mode & mode) !== 0) {
    const [does, bits] = mode === 0o077 ? ['read', '600'] : ['write', '644'];
    return refuse({ reason: `others can ${does} it`, hint: `chmod ${bits} it` });
  }
  const read = readWhole(file, bytesMax);
  return read.ok ? ok(decodeText(read.value)) : refuse(read.error);
}

function whyUnusable({ certificate, key }: CertificatePair): Cause | undefined {
  try {
    const parsed = new X509Certificate(certificate);
    if (!parsed.checkPrivateKey(createPrivateKey(key)))
      return { reason: 'the key is of another certificate' };
    createSecureContext({ cert: certificate, key });
    return undefined;
  } catch (error) {
    return {
      reason: `OpenSSL refuses it: ${error instanceof Error ? error.message : 'no reason'}`,
    };
  }
}

/** Returns the names of hosts in a certificate. Of `*.example` nobody knows which ones are the host's. */
export function namesIn(certificate: string): readonly string[] {
  try {
    const { subjectAltName = '' } = new X509Certificate(certificate);
    return [...subjectAltName.matchAll(/(?:^|, )DNS:([^,"*]+)(?=,|$)/g)].map(
      ([, name = '']) => name,
    );
  } catch {
    return [];
  }
}
