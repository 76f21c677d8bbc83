/** The mail program that jails use through the broker, as the broker itself judges it. */
import { spawnSync } from 'node:child_process';
import { packageFile } from '../../sys/package-files.ts';

/** The time for the check, which a file of the host could delay. */
const timeoutMilliseconds = 60_000;

/** Returns the path of a mail program that the broker does not know; absent if it knows it, or there is none. */
export function unknownMailProgram(instance: string): string | undefined {
  const { stdout } = spawnSync(packageFile('libexec/bulkhead-broker'), [instance, '--mail'], {
    encoding: 'utf8',
    timeout: timeoutMilliseconds,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  return /^unknown (.+)\n$/.exec(stdout)?.[1];
}
