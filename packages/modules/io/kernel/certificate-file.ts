/** Certificates that an administrator trusts: DER, or any number of them as PEM. */
import { X509Certificate } from 'node:crypto';
import type { Cause } from '../../../base/problem.ts';
import { fail, ok, type Result } from '../../../base/result.ts';

const bytesMax = 2 ** 20;
const pem = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g;

/** Returns the DER of each certificate. */
export function readCertificates(file: Uint8Array): Result<readonly Uint8Array[], Cause> {
  if (file.length > bytesMax) return fail({ reason: `it has more than ${bytesMax} bytes` });
  const blocks = Buffer.from(file).toString('latin1').match(pem) ?? [];
  try {
    const found = (blocks.length > 0 ? blocks : [file]).map(
      (each) => new X509Certificate(each).raw,
    );
    return ok(found);
  } catch {
    return fail({ reason: 'it is not an X.509 certificate, neither DER nor PEM' });
  }
}
