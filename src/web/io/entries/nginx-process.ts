/**
 * The nginx that runs: where it writes its process id, and how it takes a configuration that has been written.
 *
 *     configure arguments: … --http-log-path=/var/log/nginx/access.log … --pid-path=/run/nginx.pid …
 */
import { readlinkSync } from 'node:fs';
import { basename, resolve } from 'node:path';
import { failed, type Problem } from '../../../base/problem.ts';
import { ok, type Result } from '../../../base/result.ts';
import { readText } from '../../../sys/files/read.ts';
import type { NginxHttp } from '../../core/nginx/http-level.ts';
import { runBounded } from '../run-bounded.ts';
import type { NginxProgram } from '../servers.ts';

interface NginxBuild {
  readonly log?: string;
  readonly pid?: string;
}

/** With which paths it was built. */
export async function readNginxBuild({ program }: NginxProgram): Promise<NginxBuild> {
  const run = await runBounded(program, ['-V']);
  const text = run.ok ? run.value.stderr : '';
  const pathOf = (name: string) => new RegExp(`--${name}=(/\\S+)`).exec(text)?.[1];
  const log = pathOf('http-log-path');
  const pid = pathOf('pid-path');
  return { ...(log === undefined ? {} : { log }), ...(pid === undefined ? {} : { pid }) };
}

/** The master; nothing where none runs. */
async function masterOf(nginx: NginxProgram, http: NginxHttp): Promise<number | undefined> {
  const built = (await readNginxBuild(nginx)).pid ?? '/run/nginx.pid';
  const path = http.pidFile === undefined ? built : resolve(nginx.directory, http.pidFile);
  const pid = /^\d{1,10}$/.exec((readText(path) ?? '').trim())?.[0];
  if (pid === undefined) return undefined;
  try {
    const program = readlinkSync(`/proc/${pid}/exe`).replace(/ \(deleted\)$/, '');
    return basename(program) === basename(nginx.program) ? Number(pid) : undefined;
  } catch {
    return undefined;
  }
}

const workersOf = (master: number): readonly string[] =>
  (readText(`/proc/${master}/task/${master}/children`) ?? '').trim().split(' ').filter(Boolean);

/** It takes no connection any more; it answers those that it has. Source: ngx_process_cycle.c. */
const isShuttingDown = (pid: string) =>
  /worker process is shutting down/.test(readText(`/proc/${pid}/cmdline`) ?? '');

/** For a moment after a reload the workers before take connections, too. */
function hasTaken(master: number, before: ReadonlySet<string>): boolean {
  const now = workersOf(master);
  return (
    now.some((each) => !before.has(each)) &&
    now.every((each) => !before.has(each) || isShuttingDown(each))
  );
}

const takenWithinMs = 20_000;
const pauseMs = 50;

/** Whether one runs that follows the files now: it has new workers. */
export async function reloadNginx(
  nginx: NginxProgram,
  http: NginxHttp,
): Promise<Result<'reloaded' | 'not running', Problem>> {
  const master = await masterOf(nginx, http);
  if (master === undefined) return ok('not running');
  const before = new Set(workersOf(master));
  const run = await runBounded(nginx.program, [...nginx.args, '-s', 'reload']);
  const action = 'reload nginx';
  if (!run.ok) return failed({ action, reason: run.error });
  if (run.value.status !== 0)
    return failed({ action, reason: run.value.stderr.trim().split('\n').at(-1) ?? '' });
  const until = performance.now() + takenWithinMs;
  while (performance.now() < until) {
    if (hasTaken(master, before)) return ok('reloaded');
    await new Promise((settle) => setTimeout(settle, pauseMs));
  }
  const reason = 'it goes on with the configuration before';
  return failed({ action, reason, hint: 'its error log says why' });
}
