/** The packages of this clone, built once for the tests. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../..', import.meta.url));
export const script = `${root}scripts/package.ts`;

/** Builds packages, and returns their paths. */
export function build(output: string, ...options: readonly string[]): readonly string[] {
  const args = [script, '--fast', '--output', output, ...options];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
  assert.equal(status, 0, stderr);
  return stdout.trim().split('\n');
}

export const digestOf = (path: string) =>
  createHash('sha256').update(readFileSync(path)).digest('hex');
