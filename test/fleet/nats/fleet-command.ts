/** Runs commands of a fleet as programs, beside the connections of a test. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { statSync } from 'node:fs';
import { mainFile } from '../../../testing/program.ts';

interface Ran {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export const run = (...args: readonly string[]): Promise<Ran> =>
  new Promise((resolve) => {
    const child = execFile(
      process.execPath,
      [mainFile, 'fleet', ...args],
      (_error, stdout, stderr) => resolve({ status: child.exitCode, stdout, stderr }),
    );
  });

/** Returns what a command prints, which has to succeed. */
export async function done(...args: readonly string[]): Promise<string> {
  const { status, stdout, stderr } = await run(...args);
  assert.equal(status, 0, stderr);
  return stdout;
}

export const modeOf = (path: string): string => (statSync(path).mode & 0o777).toString(8);
