/**
 * Has `bulkhead web entries sync` run where it may write to web servers. The agent's own service may not: it sees
 * their directories read-only, and cannot take their ports, as nginx does when it checks its configuration.
 */
import { existsSync } from 'node:fs';
import { failed, type Problem } from '../../../../packages/base/problem.ts';
import { ok, type Result } from '../../../../packages/base/result.ts';
import { packageFile } from '../../../sys/package-files.ts';
import type { Paths } from '../../../host/paths.ts';
import { lastWords } from '../../../host/restore-elsewhere.ts';
import { runBounded } from '../../../sys/processes/run-bounded.ts';

export type Sync = (paths: Paths, policyFile: string) => Promise<Result<void, Problem>>;

const unit = 'bulkhead-entries.service';
const unitFiles = ['/etc/systemd/system', '/usr/lib/systemd/system'].map(
  (each) => `${each}/${unit}`,
);
const timeoutMs = 610_000;

/** Starts the systemd unit if systemd runs the agent and has it; otherwise runs the command. */
export const syncElsewhere: Sync = async ({ instance }, policyFile) => {
  const isUnit =
    process.env['INVOCATION_ID'] !== undefined && unitFiles.some((each) => existsSync(each));
  const args = ['--instance', instance, 'web', 'entries', 'sync', '--policy', policyFile];
  const run = isUnit
    ? await runBounded('/usr/bin/systemctl', ['start', unit], { timeoutMs })
    : await runBounded(packageFile('bulkhead'), args, { timeoutMs });
  const action = 'write entries again';
  if (!run.ok) return failed({ action, ...run.error });
  const { status, stderr } = run.value;
  if (status === 0) return ok(undefined);
  const reason = lastWords(stderr);
  return failed({ action, reason: reason === '' ? `it exited with ${status}` : reason });
};
