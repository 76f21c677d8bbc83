/** `cloudlinux-config` shows alert rules, and refuses what is not a rule's. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, test } from 'node:test';
import type { CloudlinuxConfigJson } from '../../src/cloudlinux/commands/json.ts';
import { jsonOf } from '../../testing/json-output.ts';
import { testDirectory } from '../../testing/temporary-directory.ts';
import { runLve } from './lve-program.ts';

const text = `<bulkhead version="1">
  <agent>
    <alerts>
      <mail to="administrator" limits="cpu memory" every="90min" faults="5"/>
      <mail to="administrator" limits="cpu" every="1days" faults="3"/>
      <mail to="tenant" limits="entries" every="2h"/>
    </alerts>
  </agent>
</bulkhead>
`;

let file = '';
beforeEach((t) => {
  file = join(testDirectory(t, 'cloudlinux-config'), 'policy.xml');
  writeFileSync(file, text, { mode: 0o644 });
});

const config = (...args: string[]) => runLve(['cloudlinux-config', ...args, '--policy', file]);

async function answer(...args: string[]) {
  const { status, out, err } = await config('--json', ...args);
  assert.deepEqual([status, err], [0, '']);
  return jsonOf<CloudlinuxConfigJson>('cloudlinux-config', out);
}

const notification = {
  faultsToInclude: {
    concurrentConnections: true,
    cpu: true,
    io: false,
    iops: false,
    mem: true,
    nproc: false,
  },
  minimumNumberOfFaultsToNotify: { admin: 3, user: 1 },
  notify: {
    admin: { period: 90, unitOfTime: 'minutes' },
    user: { period: 2, unitOfTime: 'hours' },
  },
  notifyAdmin: true,
  notifyCustomers: true,
  notifyResellers: false,
};

test('get shows the rules under the documented names', async () => {
  const found = await answer('get');
  assert.deepEqual(found, { options: { faultsNotification: notification }, result: 'success' });
  writeFileSync(file, '<bulkhead version="1"/>\n');
  const none = await answer('get');
  assert.ok('options' in none);
  assert.equal(none.options.faultsNotification.notifyAdmin, false);
  assert.deepEqual(none.options.faultsNotification.notify, {});
});

test('set succeeds only with values that the policy has', async () => {
  const same = JSON.stringify({ options: { faultsNotification: notification } });
  assert.equal((await answer('set', '--data', same)).result, 'success');
  for (const nothing of ['{"options":{}}', '{"options":{"faultsNotification":{"notify":{}}}}'])
    assert.equal((await answer('set', '--data', nothing)).result, 'success');
  const rows: readonly (readonly [RegExp, string])[] = [
    [
      /Cannot set "faultsNotification.notifyAdmin": it is true by the alert rules/,
      '{"options":{"faultsNotification":{"notifyAdmin":false}}}',
    ],
    [
      /Cannot set "uiSettings.hideRubyApp": Bulkhead has no such setting/,
      '{"options":{"uiSettings":{"hideRubyApp":false}}}',
    ],
    [/Cannot set "uiSettings": Bulkhead has no such setting/, '{"options":{"uiSettings":{}}}'],
    [/Cannot set "a.b.c": Bulkhead has no such setting/, '{"options":{"a":{"b":{"c":{}}}}}'],
    [
      /Cannot set "faultsNotification.notifyAdmin": it is true/,
      '{"options":{"faultsNotification":{"notifyAdmin":{}}}}',
    ],
    [
      /Cannot set "faultsNotification.notify.reseller": Bulkhead has no such setting/,
      '{"options":{"faultsNotification":{"notify":{"reseller":{}}}}}',
    ],
    [/"__proto__": Bulkhead has no such setting/, '{"options":{"__proto__":{}}}'],
    [/"__proto__.x": Bulkhead has no such setting/, '{"options":{"__proto__":{"x":1}}}'],
    [/it is not JSON with "options"/, '{"options":[]}'],
    [/it is not JSON with "options"/, 'x'.repeat(70_000)],
    [/it is not JSON with "options"/, '$(id)'],
  ];
  for (const [message, data] of rows) {
    assert.match((await answer('set', '--data', data)).result, message);
    assert.equal((await config('set', '--data', data)).status, 1);
  }
  assert.match((await answer('set')).result, /--data/);
  assert.match((await answer('get', '--for-reseller', 'acme')).result, /all resellers alike/);
  assert.match((await answer('drop')).result, /Write "get" or "set"/);
});
