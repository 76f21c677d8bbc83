/** The packages of this clone, built once for the tests. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { epochOf } from '../../scripts/package/places.ts';
import { hashOfSources, makeOnce } from '../../testing/vm/installed.ts';

export const root = fileURLToPath(new URL('../..', import.meta.url));
export const script = `${root}scripts/package.ts`;

const cache = `${root}node_modules/.cache/packages`;

/** Puts packages into a directory, which are built once for all suites, and returns their paths: the .deb first. */
export async function build(output: string, ...options: readonly string[]): Promise<string[]> {
  const sources = `${await hashOfSources(/^(test|testing|bench)\//)}-${epochOf()}`;
  mkdirSync(join(cache, sources), { recursive: true });
  for (const other of readdirSync(cache).filter((each) => each !== sources))
    rmSync(join(cache, other), { recursive: true, force: true });
  const built = join(cache, sources, options.join(' ').replaceAll('/', ' '));
  makeOnce(built, (building) => {
    const args = [script, '--fast', '--output', building, ...options];
    const { status, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
    assert.equal(status, 0, stderr);
  });
  cpSync(built, output, { recursive: true });
  const names = readdirSync(output).filter((each) => /\.(?:deb|rpm)$/.test(each));
  return names
    .sort((a, b) => extname(a).localeCompare(extname(b)))
    .map((each) => join(output, each));
}

export const digestOf = (path: string) =>
  createHash('sha256').update(readFileSync(path)).digest('hex');
