/** `bulkhead modules` predicts, denies, allows and explains modules of a small kernel. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import type { ScanReport } from '../../packages/modules/core/reports/report.ts';
import { jsonOf } from '../../testing/json-output.ts';
import type {
  ModulesAllowJson,
  ModulesDenyJson,
  ModulesPredictJson,
} from '../../src/modules/commands/json.ts';
import { root, tree, put, crc, module, licensed, run, onKernel } from './modules-stage.ts';

describe('bulkhead modules predict', () => {
  test('predict judges each module after the loads before it', () => {
    const closed = put(join(root, 'p/closed.ko'), module('closed', licensed('closed', 'MIT')));
    const bad = put(
      join(root, 'p/bad.ko'),
      module('bad', { imports: [{ name: 'rcu', crc }], ...licensed('bad', 'MIT') }),
    );
    const { stdout, status } = run('predict', ...onKernel, '--json', closed, bad);
    assert.equal(status, 3);
    const { modules } = jsonOf<ModulesPredictJson>('modules predict', stdout);
    assert.equal(modules[0]?.loader.taints, 'PE');
    assert.equal(modules[1]?.license, 'MIT');
    assert.deepEqual(modules[1].gplOnly, ['rcu']);
    assert.equal(modules[1].trustLevel, 'unsupported');
    assert.ok(modules[1].evidence.some((each) => each.check === 'gpl-only-without-gpl'));
    assert.match(modules[0].loader.messages.join('\n'), /module license 'MIT' taints kernel/);
    assert.equal(modules[1]?.loader.errnoName, 'ENOENT');
    assert.deepEqual(modules[1].loader.messages, ['bad: Unknown symbol rcu (err -2)']);
  });

  test('predict refuses a module that --cmdline blacklists', () => {
    const file = join(tree, 'kernel/lib.ko');
    const { stdout } = run('predict', ...onKernel, '--cmdline', 'module_blacklist=lib', file);
    assert.match(stdout, /refused with EPERM/);
    assert.match(stdout, /kernel log: Module lib is blacklisted/);
  });
});

test('bulkhead modules deny --dry-run --json prints what it would do', () => {
  const { stdout } = run('deny', '--dry-run', '--json', 'no-such-driver');
  const { modules, denied, dryRun } = jsonOf<ModulesDenyJson>('modules deny', stdout);
  assert.deepEqual([modules, denied, dryRun], [['no_such_driver'], true, true]);
});

test('bulkhead modules allow --dry-run --json prints what it would do', () => {
  const { stdout } = run('allow', '--dry-run', '--json', 'no-such-driver');
  const { modules, denied, dryRun } = jsonOf<ModulesAllowJson>('modules allow', stdout);
  assert.deepEqual([modules, denied, dryRun], [['no_such_driver'], false, true]);
});

test('bulkhead modules explain prints what uses a module, and suggests names', () => {
  const { stdout, status } = run('explain', ...onKernel, 'lib');
  assert.equal(status, 0);
  assert.match(stdout, /used by user \(1\)/);
  const json = run('explain', ...onKernel, 'lib', '--json').stdout;
  assert.equal(jsonOf<ScanReport>('modules explain', json).modules[0]?.name, 'lib');
  assert.match(run('explain', ...onKernel, 'usr').stderr, /did you mean "user"/);
});
