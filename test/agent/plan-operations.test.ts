/** The operations of a plan for programs: values, or a code with what it needs. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  describeLine,
  describeOperation,
  withoutHost,
} from '../../src/agent/policy/plan/plan-operations.ts';
import type { Operation, SetQuota, WriteFile, WriteUnit } from '../../src/plan/operations.ts';

const write: WriteFile = {
  kind: 'write',
  cgroup: 'b/u1001',
  label: 'alice',
  controller: 'cpu',
  attribute: 'cpu.limit',
  file: 'cpu.max',
  from: 'max 100000',
  to: '150000 100000',
  text: '150000 100000',
  direction: 'lower',
};
const quota: SetQuota = {
  kind: 'quota',
  label: 'alice',
  uid: 1001,
  mountPoint: '/home',
  from: { spaceBytes: undefined, files: undefined },
  to: { spaceBytes: 2 ** 30, files: 1000 },
};
const unit = {
  kind: 'unit',
  cgroup: 'user.slice/user-1001.slice',
  label: 'alice',
  unit: 'user-1001.slice',
  path: '/etc/90-bulkhead.conf',
  from: '[Slice]\nTasksMax=40\nCPUQuota=50%\n',
  text: '[Slice]\nTasksMax=41\n',
  writes: [],
} as unknown as WriteUnit;

const only = (operation: Operation) => {
  const [described, ...others] = describeOperation(operation);
  assert.ok(described);
  assert.deepEqual(others, []);
  return described;
};

test('describeOperation() gives the values of a file, and none that it does not have yet', () => {
  const text = 'cpu.max of alice: unlimited → 150%';
  const shown = { who: 'alice', setting: 'cpu.max', from: 'unlimited', to: '150%', text };
  assert.deepEqual(only(write), shown);
  const { from: _from, ...others } = shown;
  const absent = { ...others, text: 'cpu.max of alice: not set → 150%' };
  assert.deepEqual(only({ ...write, from: undefined }), absent);
});

test('describeOperation() gives a code and its values in place of a sentence', () => {
  const actionOf = (operation: Operation) => only(operation).action;
  const hierarchies = [''];
  assert.deepEqual(actionOf({ kind: 'create', cgroup: 'b/u1001', label: 'alice', hierarchies }), {
    code: 'create',
    values: ['b/u1001'],
  });
  assert.deepEqual(actionOf({ kind: 'move', from: 'b/u1', to: 'b/u1/m', label: 'alice' }), {
    code: 'move',
    values: ['b/u1', 'b/u1/m'],
  });
  assert.deepEqual(
    actionOf({ kind: 'remove', cgroup: 'b/u1\u001b[2J', hierarchies, processes: [7, 8] }),
    { code: 'remove', values: ['b/u1\\u{1b}[2J', '2'] },
  );
  assert.deepEqual(
    actionOf({ kind: 'remove', cgroup: 'x', hierarchies, processes: [], unit: 'user-1.slice' }),
    { code: 'remove unit', values: ['user-1.slice'] },
  );
  assert.deepEqual(actionOf(unit), {
    code: 'write unit',
    values: ['/etc/90-bulkhead.conf', 'TasksMax 40 → 41', 'CPUQuota 50% → –'],
  });
});

test('describeOperation() says what concerns the host, and leaves what has no code in English', () => {
  const reload = only({ kind: 'reload' });
  assert.deepEqual(reload.action, { code: 'reload units', values: [] });
  assert.equal(reload.isOfHost, true);
  const prepare = (id: string, names?: readonly string[]) =>
    only({ kind: 'prepare', id, summary: 'the host', ...(names && { names }) });
  assert.deepEqual(prepare('controllers', ['cpu io', '/sys/fs/cgroup']).action, {
    code: 'controllers',
    values: ['cpu io', '/sys/fs/cgroup'],
  });
  assert.deepEqual(prepare('unit', ['bulkhead.slice']).action, {
    code: 'delegate',
    values: ['bulkhead.slice'],
  });
  assert.equal(prepare('slices').action, undefined);
  assert.deepEqual(describeLine('+ jail of alice'), {
    who: 'the host',
    isOfHost: true,
    setting: '',
    text: '+ jail of alice',
  });
});

test('a quota is given in its parts, and to resellers without its mount point', () => {
  const parts = {
    from: { space: 'unlimited', files: 'unlimited' },
    to: { space: '1GiB', files: '1000' },
  };
  const { text, action } = only(quota);
  assert.equal(text, 'quota on /home of alice: unlimited, unlimited files → 1GiB, 1000 files');
  assert.deepEqual(action, { code: 'quota', values: ['/home'], quota: parts });
  const [own, ...others] = withoutHost([quota, { ...quota, mountPoint: '/srv' }, unit]);
  assert.deepEqual([own?.action, others], [{ code: 'quota', values: [], quota: parts }, []]);
  assert.doesNotMatch(JSON.stringify(own), /home|srv/);
});
