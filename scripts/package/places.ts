/** The directories in which packages are made and to which they go, and the date of their files. */
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { pid } from 'node:process';
import { root } from '../steps.ts';

const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/**
 * Runs a build in a directory of its own, which is removed however it ends. A signal ends what runs, then this process
 * as the signal would have.
 */
export async function withWorkDirectory(
  work: (directory: string, signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'bulkhead-package-'));
  const interruption = new AbortController();
  let interrupted: NodeJS.Signals | undefined;
  const interrupt = (signal: NodeJS.Signals) => {
    interrupted = signal;
    interruption.abort(new Error(`interrupted by ${signal}`));
  };
  for (const each of signals) process.on(each, interrupt);
  try {
    await work(directory, interruption.signal);
  } finally {
    rmSync(directory, { recursive: true, force: true });
    for (const each of signals) process.off(each, interrupt);
    if (interrupted !== undefined) process.kill(pid, interrupted);
  }
}

/** Puts a package into the output directory in one step, so that nobody finds half of it there; returns its path. */
export function publish(made: string, output: string): string {
  const path = join(output, basename(made));
  const aside = join(output, `.${basename(made)}.${pid}`);
  try {
    copyFileSync(made, aside);
    renameSync(aside, path);
  } finally {
    rmSync(aside, { force: true });
  }
  return path;
}

/** Returns the date for files, in seconds since 1970: SOURCE_DATE_EPOCH, or the date of the commit. */
export function epochOf(): number {
  const given = process.env['SOURCE_DATE_EPOCH'];
  if (given !== undefined) {
    if (!/^\d{1,10}$/.test(given))
      throw new Error(`SOURCE_DATE_EPOCH must be seconds since 1970, not "${given}"`);
    return Number(given);
  }
  try {
    // Another account may own the clone.
    const args = ['-c', `safe.directory=${root.replace(/\/$/, '')}`, 'log', '-1', '--format=%ct'];
    return Number(execFileSync('git', args, { cwd: root, encoding: 'utf8', stdio: 'pipe' }));
  } catch (error) {
    throw new Error('this is not a clone with git, so SOURCE_DATE_EPOCH must be set', {
      cause: error,
    });
  }
}
