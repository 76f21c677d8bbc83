/**
 * Policies that are large by mistake, or by a program that writes them. No time is measured: where each mistake
 * is compared with every name, this takes many minutes, and the limit is against that.
 */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import pino from 'pino';
import { PolicyReconciler } from '../../src/agent/reconciler.ts';
import { pathsOf } from '../../src/host/paths.ts';
import { suiteDirectory } from '../../testing/temporary-directory.ts';

const bulkhead = new URL('../../bulkhead', import.meta.url).pathname;
const root = suiteDirectory('attack-policy');

function write(name: string, lines: readonly string[]): string {
  const file = join(root, name);
  writeFileSync(file, `<bulkhead version="1">\n${lines.join('\n')}\n</bulkhead>\n`);
  return file;
}

function check(name: string, lines: readonly string[]) {
  const file = write(name, lines);
  const { stdout, signal } = spawnSync(bulkhead, ['check', '--json', file], {
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
    timeout: 240_000,
    killSignal: 'SIGKILL',
  });
  assert.equal(signal, null, `the check of ${name} came to no end`);
  return (JSON.parse(stdout) as { diagnostics: { severity: string; message: string }[] })
    .diagnostics;
}

const rows = (count: number, line: (n: number) => string) =>
  Array.from({ length: count }, (_, n) => line(n));

test('check finishes with a hundred thousand unknown names among as many packages', () => {
  const found = check('packages.xml', [
    ...rows(100_000, (n) => `<package name="package-${n}"/>`),
    ...rows(100_000, (n) => `<tenant uid="${100_000 + n}" package="pakkage-${n}"/>`),
  ]).filter((each) => each.severity === 'error');
  assert.equal(found.length, 100_000);
  assert.match(found[0]?.message ?? '', /did you mean "package-0"/);
  assert.doesNotMatch(found.at(-1)?.message ?? '', /did you mean/);
});

test('PolicyReconciler does not block the agent while it reads a large policy', async () => {
  const file = write('large.xml', [
    ...rows(100_000, (n) => `<tenant uid="${100_000 + n}"/>`),
    '<tenant uid="200000" package="unknown"/>',
  ]);
  const paths = { ...pathsOf('bulkhead-large'), state: root };
  const adopt = () => assert.fail('it is wrong');
  using reconciler = new PolicyReconciler(file, paths, pino({ level: 'silent' }), adopt);
  let turns = 0;
  const turn = () => {
    if (reconciler.state.state === 'refused') return;
    turns += 1;
    setImmediate(turn);
  };
  const refreshed = reconciler.refresh();
  turn();
  await refreshed;
  assert.equal(reconciler.state.state, 'refused');
  assert.match(reconciler.state.problems.join(), /There is no package "unknown"/);
  assert.ok(turns > 0, 'nothing else was done meanwhile');
});
