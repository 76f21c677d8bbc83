/** The mail program that jails get by the broker, as the broker itself judges it. */
import { spawnSync } from 'node:child_process';
import { packageFile } from '../../sys/package-files.ts';

/** Where a file of the host could be in the way of an answer. */
const timeoutMilliseconds = 60_000;

/** Returns the path of a mail program that the broker does not know; absent where it knows it, or there is none. */
export function unknownMailProgram(instance: string): string | undefined {
  const { stdout } = spawnSync(packageFile('libexec/bulkhead-broker'), [instance, '--mail'], {
    encoding: 'utf8',
    timeout: timeoutMilliseconds,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  return /^unknown (.+)\n$/.exec(stdout)?.[1];
}
