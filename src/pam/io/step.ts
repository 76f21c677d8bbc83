/** Returns the paths of the step, the module and their lists, for this instance. */
import { existsSync } from 'node:fs';
import { jailedFile } from '../../host/cgroups/launch-jailed.ts';
import { loginsFile } from '../../host/cgroups/launch-logins.ts';
import type { Paths } from '../../host/paths.ts';
import { entryFile, packageFile } from '../../sys/package-files.ts';
import type { JailStep, PamStep } from '../core/profiles.ts';

export function stepOf({ instance, runtime, state }: Paths): PamStep {
  const list = jailedFile(state);
  // The module is compiled for the package, for one kind of processor.
  const module = entryFile('pam_bulkhead.so');
  const jail: JailStep = { module, list };
  return {
    program: packageFile('libexec/bulkhead-pam'),
    instance,
    logins: loginsFile(runtime),
    ...(existsSync(list) ? { jail } : {}),
  };
}
