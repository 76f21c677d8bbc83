/**
 * Runs a command of ours where it may load and pin BPF programs. The agent's own service may not: it sees /sys
 * read-only.
 */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { failed, type Problem } from '../../packages/base/problem.ts';
import { ok, type Result } from '../../packages/base/result.ts';
import type { Paths } from './paths.ts';
import { runFailure } from '../sys/processes/run-bounded.ts';
import { packageFile } from '../sys/package-files.ts';

export type Restore = (paths: Paths, policyFile: string) => Promise<Result<void, Problem>>;

export interface Restored {
  /** The unit that runs the same command at boot. */
  readonly unit: string;
  readonly command: readonly string[];
  /** The action for messages: `reconcile the symlink guard with the policy`. */
  readonly action: string;
  /** The longest that it may take; default: ten minutes. */
  readonly timeoutMs?: number;
}

/** Longer than the units may take: a busy host is no reason to start again. */
const timeoutDefaultMs = 610_000;
const bytesMax = 1 << 20;

/** Runs the command as its unit if systemd runs the agent and has the unit, or else directly. */
export const restoreElsewhere =
  ({ unit, command, action, timeoutMs = timeoutDefaultMs }: Restored): Restore =>
  ({ instance, etc }, policyFile) => {
    const files = [`${etc}/systemd/system`, '/usr/lib/systemd/system'];
    const isUnit =
      process.env['INVOCATION_ID'] !== undefined &&
      files.some((each) => existsSync(`${each}/${unit}`));
    const args = ['--instance', instance, ...command, '--policy', policyFile];
    return isUnit
      ? run(
          action,
          timeoutMs,
          '/usr/bin/systemctl',
          ['restart', unit],
          `see: journalctl -u ${unit}`,
        )
      : run(action, timeoutMs, packageFile('bulkhead'), args);
  };

/** Returns why a command of ours failed, in its own words; empty if it printed nothing. */
export const lastWords = (stderr: string): string =>
  stderr
    .trim()
    .split('\n')
    .at(-1)
    ?.replace(/^bulkhead: /, '') ?? '';

function run(
  action: string,
  timeoutMs: number,
  program: string,
  args: readonly string[],
  hint?: string,
): Promise<Result<void, Problem>> {
  const options = {
    cwd: '/',
    timeout: timeoutMs,
    killSignal: 'SIGKILL',
    maxBuffer: bytesMax,
  } as const;
  return new Promise((resolve) => {
    execFile(program, args, options, (error, _stdout, stderr) => {
      if (error === null) return resolve(ok(undefined));
      const said = lastWords(stderr);
      const reason =
        said === '' ? `${program}: ${runFailure(error, timeoutMs, bytesMax).reason}` : said;
      resolve(failed({ action, reason, ...(hint === undefined ? {} : { hint }) }));
    });
  });
}
