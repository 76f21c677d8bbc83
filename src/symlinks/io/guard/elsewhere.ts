/**
 * Has `bulkhead symlinks guard restore` run where it may load programs and pin them. The agent's own service may not: it
 * sees /sys read-only.
 */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { failed, type Problem } from '../../../base/problem.ts';
import { ok, type Result } from '../../../base/result.ts';
import type { Paths } from '../../../host/paths.ts';
import { packageFile } from '../../../sys/package-files.ts';

export type Restore = (paths: Paths, policyFile: string) => Promise<Result<void, Problem>>;

const unit = 'bulkhead-symlinks.service';
const unitFiles = ['/etc/systemd/system', '/usr/lib/systemd/system'].map(
  (each) => `${each}/${unit}`,
);
const timeoutMs = 120_000;
const action = 'bring the symlink guard in line with the policy';

/** Where systemd runs the agent and has the unit, by that. */
export const restoreElsewhere: Restore = ({ instance }, policyFile) => {
  const isUnit =
    process.env['INVOCATION_ID'] !== undefined && unitFiles.some((each) => existsSync(each));
  const words = ['--instance', instance, 'symlinks', 'guard', 'restore', '--policy', policyFile];
  return isUnit
    ? run('/usr/bin/systemctl', ['restart', unit], `see: journalctl -u ${unit}`)
    : run(packageFile('bulkhead'), words);
};

function run(
  program: string,
  words: readonly string[],
  hint?: string,
): Promise<Result<void, Problem>> {
  const options = {
    cwd: '/',
    timeout: timeoutMs,
    killSignal: 'SIGKILL',
    maxBuffer: 1 << 20,
  } as const;
  return new Promise((resolve) => {
    execFile(program, words, options, (error, _stdout, stderr) => {
      if (error === null) return resolve(ok(undefined));
      const said =
        stderr
          .trim()
          .split('\n')
          .at(-1)
          ?.replace(/^bulkhead: /, '') ?? '';
      const reason = said === '' ? `${program} failed: ${String(error.code)}` : said;
      resolve(failed({ action, reason, ...(hint === undefined ? {} : { hint }) }));
    });
  });
}
