/**
 * The running nginx: the file with its process id, and how it loads a new configuration.
 *
 *     configure arguments: … --http-log-path=/var/log/nginx/access.log … --pid-path=/run/nginx.pid …
 */
import { resolve } from 'node:path';
import { failed, type Problem } from '../../../../packages/base/problem.ts';
import { ok, type Result } from '../../../../packages/base/result.ts';
import { readText } from '../../../../packages/base/io/read.ts';
import { passingModules, type NginxHttp } from '../../core/nginx/http-level.ts';
import { runBounded } from '../../../sys/processes/run-bounded.ts';
import type { NginxProgram } from '../servers.ts';
import { masterAt, waitForWorkers } from './master.ts';
import type { ReloadResult } from './server-entries.ts';

interface NginxBuild {
  readonly log?: string;
  readonly pid?: string;
  readonly passing: readonly string[];
}

/** Reads the paths and modules that nginx was built with. */
export async function readNginxBuild({ program }: NginxProgram): Promise<NginxBuild> {
  const run = await runBounded(program, ['-V']);
  const text = run.ok ? run.value.stderr : '';
  const pathOf = (name: string) => new RegExp(`--${name}=(/\\S+)`).exec(text)?.[1];
  const log = pathOf('http-log-path');
  const pid = pathOf('pid-path');
  const passing = passingModules.filter((each) => !text.includes(`--without-http_${each}_module`));
  return { passing, ...(log === undefined ? {} : { log }), ...(pid === undefined ? {} : { pid }) };
}

/**
 * Whether a worker takes connections. For a moment after a reload, the previous workers do, too. Source:
 * ngx_process_cycle.c.
 */
const takesConnections = (pid: string) =>
  !/worker process is shutting down/.test(readText(`/proc/${pid}/cmdline`) ?? '');

/** Reloads nginx, and returns whether an nginx runs that follows the files now. */
export async function reloadNginx(
  nginx: NginxProgram,
  http: NginxHttp,
): Promise<Result<ReloadResult, Problem>> {
  const built = (await readNginxBuild(nginx)).pid ?? '/run/nginx.pid';
  const path = http.pidFile === undefined ? built : resolve(nginx.directory, http.pidFile);
  const master = masterAt(path, nginx.program);
  if (master === undefined) return ok('not running');
  const follows = waitForWorkers(master, takesConnections);
  const run = await runBounded(nginx.program, [...nginx.args, '-s', 'reload']);
  const action = 'reload nginx';
  if (!run.ok) return failed({ action, ...run.error });
  if (run.value.status !== 0)
    return failed({ action, reason: run.value.stderr.trim().split('\n').at(-1) ?? '' });
  if (await follows()) return ok('reloaded');
  const reason = 'it goes on with the configuration before';
  return failed({ action, reason, hint: 'its error log says why' });
}
