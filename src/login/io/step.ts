/** Where the step and its list are, for this instance. */
import { loginsFile } from '../../host/cgroups/launch-logins.ts';
import type { Paths } from '../../host/paths.ts';
import { packageFile } from '../../sys/package-files.ts';
import type { Step } from '../core/profiles.ts';

export const stepOf = ({ instance, runtime }: Paths): Step => ({
  program: packageFile('libexec/bulkhead-pam'),
  instance,
  logins: loginsFile(runtime),
});
