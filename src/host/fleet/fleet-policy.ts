/**
 * The policy of the fleet's release that is in force on this host: a plain policy, which lies below the host's own file.
 * The agent writes it; everything that reads policies reads it.
 */
import type { Problem } from '../../../packages/base/problem.ts';
import { ok, type Result } from '../../../packages/base/result.ts';
import { bytesMax, decodeXml } from '../../policy/xml.ts';
import { readTextFile } from '../../sys/files/text-file.ts';
import { fleetDirectoryOf, type Paths } from '../paths.ts';

export const fleetPolicyFile = (paths: Paths): string => `${fleetDirectoryOf(paths)}/policy.xml`;

/** Reads the policy of the release in force; undefined if none is. */
export function readFleetPolicy(paths: Paths): Result<string | undefined, Problem> {
  const read = readTextFile(fleetPolicyFile(paths), { bytesMax, decode: decodeXml }, 'trusted');
  return !read.ok && read.error.errno === 'ENOENT' ? ok(undefined) : read;
}
