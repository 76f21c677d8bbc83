/** Changes that reached a tenant, also by its package and the defaults. */
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { recordApplied } from '../../src/apply/change-record.ts';
import { reaching } from '../../src/apply/edits/changes-reaching.ts';
import { PolicyReader } from '../../src/apply/load-policy.ts';
import { listChanges } from '../../src/apply/read-changes.ts';
import { pathsOf } from '../../src/host/paths.ts';
import { testDirectory } from '../../testing/temporary-directory.ts';

class CountingReader extends PolicyReader {
  resolved = 0;

  override resolve(...given: Parameters<PolicyReader['resolve']>) {
    this.resolved++;
    return super.resolve(...given);
  }
}

test('reaching() has changes of the package and of the defaults that count for the tenant', (t) => {
  const directory = testDirectory(t, 'changes-reaching');
  const file = `${directory}/policy.xml`;
  const [etc, state] = [`${directory}/etc`, `${directory}/state`];
  const paths = { ...pathsOf('bulkhead-changes-reaching'), etc, state };
  mkdirSync(etc);
  writeFileSync(`${etc}/passwd`, 'alice:x:61001:61001::/:/bin/sh\nbob:x:61002:61002::/:/bin/sh\n');
  const apply = (body: string) => {
    const text = `<bulkhead version="1">${body}</bulkhead>\n`;
    const inForce = { way: 'by hand', outcome: 'in force', problems: [] } as const;
    const recorded = recordApplied(paths, { file, text, ...inForce, keepMilliseconds: 1e12 });
    assert.ok(recorded.ok, JSON.stringify(recorded));
  };
  const bodyOf = ({ cpu = '100%', memory = '1GiB', gold = '200%', plain = '10%', bob = 'plain' }) =>
    `<defaults><cpu limit="${cpu}"/><memory limit="${memory}"/></defaults>
    <package name="gold"><cpu limit="${gold}"/></package>
    <package name="plain"><cpu limit="${plain}"/></package>
    <tenant user="alice" package="gold"><processes limit="50"/></tenant>
    <tenant user="bob" package="${bob}"/>`;
  apply(bodyOf({}));
  // 2: her package; 3: the defaults; 4: another package; 5: defaults that her package replaces; 6: bob's package.
  apply(bodyOf({ gold: '300%' }));
  apply(bodyOf({ gold: '300%', memory: '2GiB' }));
  apply(bodyOf({ gold: '300%', memory: '2GiB', plain: '20%' }));
  apply(bodyOf({ gold: '300%', memory: '2GiB', plain: '20%', cpu: '90%' }));
  apply(bodyOf({ gold: '300%', memory: '2GiB', plain: '20%', cpu: '90%', bob: 'gold' }));
  const listed = listChanges(paths, { from: 0, to: Number.MAX_SAFE_INTEGER });
  assert.ok(listed.ok);
  const reader = new CountingReader();
  const reached = (account: string) =>
    listed.value
      .flatMap(reaching(account, paths, reader))
      .map(({ number, changed }) => [
        number,
        ...(changed?.values ?? []).map(({ element, to }) => `${element}: ${to}`),
      ]);
  assert.deepEqual(reached('alice'), [
    [3, 'the defaults: 2GiB'],
    [2, 'package "gold": 300%'],
  ]);
  // The text after 2 is the one before 3; 1 to 5 are those of changes of packages and defaults.
  assert.equal(reader.resolved, 5);
  assert.deepEqual(reached('61001'), reached('alice'));
  assert.deepEqual(reached('bob'), [
    [6, 'tenant "bob": gold'],
    [4, 'package "plain": 20%'],
    [3, 'the defaults: 2GiB'],
  ]);
  assert.deepEqual(reached('nobody'), []);
});
