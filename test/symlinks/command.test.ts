/** `bulkhead symlinks audit` and `guard` as administrators and their jobs run them. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { needsRoot, Stage } from './stage.ts';
import { jsonOf } from '../../testing/json-output.ts';
import { mainFile } from '../../testing/program.ts';

const options = { skip: needsRoot };
/** An account that every host has; a policy that names only uids makes its home one of the test. */
const audit = (...args: readonly string[]) =>
  spawnSync(process.execPath, [mainFile, 'symlinks', 'audit', ...args], { encoding: 'utf8' });

function policy(stage: Stage, text: string): string {
  const file = join(stage.root, 'policy.xml');
  writeFileSync(file, `<bulkhead version="1">${text}</bulkhead>`, { mode: 0o600 });
  return file;
}

test('symlinks audit reports zero findings when no home has a link', options, () => {
  using stage = new Stage();
  const file = policy(stage, '<tenant uid="610001"/>');
  const { status, stdout } = audit('--policy', file);
  assert.equal(status, 0);
  assert.equal(stdout, '0 homes, 0 names, 0 symbolic links: 0 high, 0 medium, 0 low\n');
  const json = audit('--policy', file, '--json');
  assert.deepEqual(jsonOf('symlinks audit', json.stdout), {
    findings: [],
    found: { high: 0, medium: 0, low: 0 },
    problems: [],
    entries: 0,
    links: 0,
    indexIsFull: false,
    homes: 0,
  });
});

test('symlinks audit refuses an unknown tenant, policy file or severity', options, () => {
  using stage = new Stage();
  const file = policy(stage, '<tenant uid="610001"/>');
  const unknown = audit('--policy', file, 'nobody-such');
  assert.equal(unknown.status, 2);
  assert.match(unknown.stderr, /"nobody-such": it is not a tenant with a home/);
  const missing = audit('--policy', join(stage.root, 'none.xml'));
  assert.equal(missing.status, 1);
  assert.match(missing.stderr, /none\.xml/);
  assert.equal(audit('--severity', 'worst').status, 2);
});

test('symlinks guard enable refuses a policy that names no users', options, () => {
  using stage = new Stage();
  const file = policy(stage, '<tenant uid="610001"/>');
  for (const words of [['enable'], ['enable', '--watch', '--dry-run']]) {
    const args = ['--instance', 'guard-test', 'symlinks', 'guard', ...words, '--policy', file];
    const { status, stderr } = spawnSync(process.execPath, [mainFile, ...args], {
      encoding: 'utf8',
    });
    assert.equal(status, 1);
    assert.match(stderr, /Cannot enable the symlink guard: the policy .* does not say whom/);
  }
});
