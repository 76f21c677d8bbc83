/**
 * Reads an application's log as its tenant, in its cgroup and jail: the file is in the tenant's home, and can be anything
 * by now, such as a link to a file that only root may read.
 */
import { failed, type Problem } from '../../../packages/base/problem.ts';
import { ok, type Result } from '../../../packages/base/result.ts';
import { lastWords } from '../../host/restore-elsewhere.ts';
import { runBounded } from '../../sys/processes/run-bounded.ts';
import type { AppLayout } from './layout.ts';
import type { HostApp } from './plan.ts';

const bytesMax = 2 ** 18;
const timeoutMs = 10_000;

/** Whether tail found no file; the launcher may miss something else. */
export const isAbsent = (stderr: string): boolean =>
  /^tail: .*: No such file or directory$/m.test(stderr);

/** Returns the last lines; none if it has printed nothing yet. */
export async function readAppLog(
  { id, app, owner }: HostApp,
  { instance, launcher }: AppLayout,
  lines: number,
): Promise<Result<readonly string[], Problem>> {
  const site = app.site === undefined ? [] : ['--site', app.site];
  const path = `.bulkhead/${app.name}.log`;
  const command = ['tail', '-c', `${bytesMax}`, '--', path];
  const args = ['--instance', instance, ...site, `${id.uid}`, '--', ...command];
  const run = await runBounded(launcher, args, { timeoutMs, bytesMax: 2 * bytesMax });
  const cannot = { action: 'read the log of application', object: `${owner.user}/${app.name}` };
  if (!run.ok) return failed({ ...cannot, ...run.error });
  const { status, stdout, stderr } = run.value;
  if (status !== 0 && isAbsent(stderr)) return ok([]);
  if (status !== 0) return failed({ ...cannot, reason: lastWords(stderr) });
  const text = Buffer.from(stdout).toString('utf8').replace(/\n$/, '');
  return ok(text === '' ? [] : text.split('\n').slice(-lines));
}
