/**
 * The trust that a centre follows: once people have listed its key, another one counts only if it follows from that, as at a
 * host. So whoever may write into the published directory cannot give it other people or controllers.
 */
import { join } from 'node:path';
import { replaceFile } from '../../../../packages/base/io/replace-file.ts';
import { failed, type Problem } from '../../../../packages/base/problem.ts';
import { ok, type Result } from '../../../../packages/base/result.ts';
import type { TrustDocument } from '../../core/documents.ts';
import { fleetFiles } from '../directory/fleet-directory.ts';
import { trustFileText } from '../../core/fleet-files.ts';
import { readTrustFile, type GivenTrust } from '../given-trust.ts';
import { verifyTrust } from '../verify/verify-trust.ts';

/** Returns the trust that counts. It is kept in the centre's own directory if it was before, or if `isLed` says so. */
export function followTrust(
  directory: string,
  given: GivenTrust,
  isLed: (trust: TrustDocument) => boolean,
): Result<TrustDocument, Problem> {
  const file = join(directory, fleetFiles.trust);
  const known = readTrustFile(file);
  if (!known.ok && known.error.errno !== 'ENOENT') return known;
  if (!known.ok && !isLed(given.trust)) return ok(given.trust);
  const next = known.ok ? verifyTrust(given.chain, known.value.trust) : ok(given.trust);
  if (!next.ok)
    return failed({
      action: 'follow the trust that is published',
      reason: next.error.reason,
      hint: `if people have begun a new fleet, remove ${file}`,
    });
  if (known.ok && known.value.trust.version === next.value.version) return next;
  const written = replaceFile(file, trustFileText(given.chain.slice(-1)), 0o600);
  return written.ok ? next : written;
}
