/** Which sites of a tenant have services of their own. */
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import type { CpuFraction } from '../../../packages/base/quantity.ts';
import { pathsOf } from '../../../src/host/paths.ts';
import { parsePolicy } from '../../../src/policy/parse.ts';
import { resolvePolicy } from '../../../src/policy/resolve.ts';
import { removeRecord, writeRecord } from '../../../src/web/io/entries/record.ts';
import { readHostView } from '../../../src/web/io/fpm/facts.ts';
import { suiteDirectory } from '../../../testing/temporary-directory.ts';

const directory = suiteDirectory('host-view');
const paths = { ...pathsOf('bulkhead-test'), etc: `${directory}/etc`, state: `${directory}/state` };
mkdirSync(paths.etc);
const lines = ['alice:x:5001:5001::/home/alice:/bin/sh', 'bob:x:5002:5002::/home/bob:/bin/sh'];
writeFileSync(`${paths.etc}/passwd`, `${lines.join('\n')}\n`);

const set = {
  tenant: new Map([['set.example', new Map([['cpu.limit', 0.5 as CpuFraction] as const])]]),
};
const text = `<bulkhead version="1"><defaults><sites limits="tenant"/></defaults>
  <tenant user="alice"><entries limit="20"/><site name="written.example"/></tenant>
  <tenant user="bob"/></bulkhead>`;

function sitesNow() {
  const { document } = parsePolicy('p.xml', text);
  assert.ok(document);
  const accounts = ['alice', 'bob'].map((user, index) => ({
    user,
    uid: 5001 + index,
    gid: 5001 + index,
    home: `/home/${user}`,
  }));
  const siteLimits = new Map([5001, 5002].map((uid) => [uid, set]));
  const policy = resolvePolicy(document, { accounts, uidMin: 1000, siteLimits });
  return readHostView(paths, policy, [], '8.4').tenants.map(({ sites = [] }) =>
    sites.map(({ name }) => name),
  );
}

test('readHostView() omits a tenant-made site of a tenant with entries while web entries is disabled', () => {
  assert.deepEqual(sitesNow(), [['written.example'], ['set.example']]);
  const record = { sender: 33, files: [], state: '', limits: '', apacheOwners: {} };
  assert.ok(writeRecord(paths, record).ok);
  // Web servers hold the number for all of them.
  assert.deepEqual(sitesNow(), [['written.example', 'set.example'], ['set.example']]);
  assert.ok(removeRecord(paths).ok);
  assert.deepEqual(sitesNow(), [['written.example'], ['set.example']]);
});
