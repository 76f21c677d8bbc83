/** Returns the paths of the module and of its list, for this instance. */
import { existsSync } from 'node:fs';
import { unreadable } from '../../../packages/base/io/read.ts';
import { jailedFile } from '../../host/cgroups/launch-jailed.ts';
import type { Paths } from '../../host/paths.ts';
import { entryFile } from '../../sys/package-files.ts';
import type { PamStep } from '../core/profiles.ts';

export function stepOf({ instance, state }: Paths): PamStep {
  const jailed = jailedFile(state);
  return {
    module: entryFile('pam_bulkhead.so'),
    instance,
    ...(existsSync(jailed) || unreadable(jailed) !== undefined ? { jailed } : {}),
  };
}
