/**
 * The policy of the fleet's release that is in force on this host: a plain policy, which lies below the host's own file.
 * The agent writes it; everything that reads policies reads it.
 */
import { decodeText, readBounded } from '../../../packages/base/io/regular-file.ts';
import { isObject, parseObject } from '../../../packages/base/json.ts';
import { failed, type Problem } from '../../../packages/base/problem.ts';
import { ok, type Result } from '../../../packages/base/result.ts';
import { bytesMax, decodeXml } from '../../policy/xml.ts';
import { readTextFile } from '../../sys/files/text-file.ts';
import { fleetDirectoryOf, type Paths } from '../paths.ts';

export const fleetPolicyFile = (paths: Paths): string => `${fleetDirectoryOf(paths)}/policy.xml`;

/** Reads the policy of the release in force; undefined if none is. */
export function readFleetPolicy(paths: Paths): Result<string | undefined, Problem> {
  const read = readTextFile(fleetPolicyFile(paths), { bytesMax, decode: decodeXml }, 'trusted');
  if (read.ok || read.error.errno !== 'ENOENT') return read;
  const missing = generationInForce(paths);
  // Without it, the limits of the release would drop with the next apply.
  return missing === undefined
    ? ok(undefined)
    : failed({
        action: 'read',
        object: fleetPolicyFile(paths),
        reason: `it is missing, and generation ${missing} is in force`,
        hint: '"systemctl restart bulkhead" puts it there again; "bulkhead fleet leave --drop" does without',
      });
}

const stateBytesMax = 2 ** 20;

/** Returns the generation whose policy must be there, by the agent's record of the fleet; undefined: none, or unknown. */
function generationInForce(paths: Paths): number | undefined {
  const text = readBounded(`${fleetDirectoryOf(paths)}/state.json`, stateBytesMax, {
    links: 'refuse',
  });
  const { current, confirmed } = (text.ok && parseObject(decodeText(text.value))) || {};
  if (!isObject(current)) return undefined;
  // Before the first apply it is not there yet, and after going back to nothing no more.
  if (current['phase'] === 'applying') return undefined;
  const release = current['phase'] === 'going back' ? confirmed : current['release'];
  const generation = isObject(release) ? release['generation'] : undefined;
  return typeof generation === 'number' ? generation : undefined;
}
