/** The running Apache, and how it loads a new configuration: SIGUSR1, "graceful". */
import { resolve } from 'node:path';
import { failed, type Problem } from '../../../../packages/base/problem.ts';
import { ok, type Result } from '../../../../packages/base/result.ts';
import { reasonOf } from '../../../../packages/base/io/errno.ts';
import type { ApacheProgram } from '../servers.ts';
import type { ReloadResult } from './server-entries.ts';
import { masterAt, waitForWorkers } from './master.ts';

/** Reloads Apache. `pidFiles` are the paths by its configuration. Requests that are being served go on. */
export async function reloadApache(
  { program, directory, pidFile: usual }: ApacheProgram,
  pidFiles: readonly string[] = [],
): Promise<Result<ReloadResult, Problem>> {
  const paths = pidFiles.length === 0 ? [resolve(directory, usual)] : pidFiles;
  const [master] = paths.flatMap((path) => masterAt(path, program) ?? []);
  if (master === undefined) return ok('not running');
  const action = 'reload apache2';
  const follows = waitForWorkers(master, () => false);
  try {
    process.kill(master, 'SIGUSR1');
  } catch (error) {
    return failed({ action, reason: reasonOf(error) });
  }
  if (await follows()) return ok('reloaded');
  const reason = 'it goes on with the configuration before';
  return failed({ action, reason, hint: 'its error log says why' });
}
