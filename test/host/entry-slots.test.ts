/** The files that apply writes for `bulkhead exec --entry`. */
import assert from 'node:assert/strict';
import {
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { beforeEach, test } from 'node:test';
import { applyPolicy, releaseAll } from '../../src/apply/apply.ts';
import { formatEntrySlots, publishEntries, withdrawEntries } from '../../src/host/entry-slots.ts';
import { fakeHost } from '../../testing/fake-host.ts';
import { testDirectory } from '../../testing/temporary-directory.ts';
import { policyOf } from '../conformance/suite.ts';

let runtime = '';
const path = (name = '') => join(runtime, 'entries', name);
const read = (name: string) => readFileSync(path(name), 'utf8');

const publish = (body: string) => {
  const published = publishEntries(runtime, policyOf(body));
  assert.ok(published.ok, JSON.stringify(published));
};
const limited = (uid: number, limit: number | string) =>
  `<tenant uid="${uid}"><entries limit="${limit}"/></tenant>`;

beforeEach((t) => {
  runtime = testDirectory(t, 'entries');
});

test('publishEntries() makes a root-only directory for each tenant with a limit, and no others', () => {
  publish(`<defaults><entries limit="7"/></defaults>${limited(1001, 20)}
    ${limited(1002, 'unlimited')}<tenant uid="1003"/>
    <reseller uid="1009"><tenant uid="1004"><entries limit="3"/></tenant></reseller>`);
  assert.deepEqual(readdirSync(path()).sort(), ['.limits', '1001', '1003', '1004']);
  assert.deepEqual(
    ['1001', '1003', '1004'].map((uid) => read(`${uid}/limit`)),
    [20, 7, 3].map((limit) => formatEntrySlots({ limit })),
  );
  assert.equal(statSync(path('1001')).mode & 0o777, 0o700);
});

test("publishEntries() makes directories for sites and resellers, and writes a tenant's reseller", () => {
  publish(`<reseller uid="1009"><entries limit="50"/>
    <tenant uid="1001"><site name="a.example"><entries limit="2"/></site><site name="b.example"/></tenant>
  </reseller><tenant uid="1002"><entries limit="9"/></tenant>`);
  assert.deepEqual(readdirSync(path()).sort(), [
    '.limits',
    '1001',
    '1001-a.example',
    '1002',
    'r1009',
  ]);
  assert.equal(read('1001-a.example/limit'), 'entries 1\nlimit 2\nend\n');
  assert.equal(read('r1009/limit'), 'entries 1\nlimit 50\nend\n');
  assert.equal(read('1001/limit'), 'entries 1\nreseller 1009\nend\n');
  publish(`<reseller uid="1009"><tenant uid="1001"><entries limit="4"/></tenant></reseller>`);
  assert.deepEqual(readdirSync(path()).sort(), ['.limits', '1001']);
  assert.equal(read('1001/limit'), 'entries 1\nlimit 4\nend\n');
});

test('publishEntries() writes nothing when no tenant has a limit', () => {
  publish('<tenant uid="1001"/>');
  assert.ok(!existsSync(path()));
});

test('publishEntries() does not rewrite unchanged files, and keeps slots when the limit changes', () => {
  publish(limited(1001, 20) + limited(1002, 5));
  writeFileSync(path('1001/1'), '1 1\n');
  const unchanged = statSync(path('1002/limit')).ino;
  const whole = statSync(path('.limits')).ino;
  publish(limited(1001, 20) + limited(1002, 5));
  assert.equal(statSync(path('.limits')).ino, whole);
  publish(limited(1001, 2) + limited(1002, 5));
  assert.equal(statSync(path('1002/limit')).ino, unchanged);
  assert.equal(read('1001/limit'), formatEntrySlots({ limit: 2 }));
  assert.equal(read('1001/1'), '1 1\n');
});

test('publishEntries() writes limits again that another version wrote, or that were cut off', () => {
  publish(limited(1001, 20));
  const whole = read('.limits');
  for (const text of [
    '1001 20\n',
    whole.replace('entries 1', 'entries 2'),
    whole.slice(0, -1),
    '',
  ]) {
    writeFileSync(path('.limits'), text);
    writeFileSync(path('1001/limit'), '20\n');
    mkdirSync(path('1005'), { recursive: true });
    publish(limited(1001, 20));
    assert.equal(read('1001/limit'), formatEntrySlots({ limit: 20 }));
    assert.equal(read('.limits'), whole);
    assert.ok(!existsSync(path('1005')));
  }
});

test('publishEntries() removes the directory of a removed limit, even after an interrupted apply', () => {
  for (const interrupted of [false, true]) {
    publish(limited(1001, 20) + limited(1002, 5));
    writeFileSync(path('1001/1'), '1 1\n');
    if (interrupted) rmSync(path('.limits'));
    publish(limited(1002, 5));
    assert.deepEqual(readdirSync(path()).sort(), ['.limits', '1002']);
    rmSync(path('.limits'));
    publish('<tenant uid="1002"/>');
    assert.deepEqual(readdirSync(path()), ['.limits']);
  }
  withdrawEntries(runtime);
  assert.ok(!existsSync(path()));
});

test('publishEntries() fails when it cannot write', () => {
  mkdirSync(path());
  writeFileSync(path('1001'), '');
  const published = publishEntries(runtime, policyOf(limited(1001, 20)));
  assert.ok(!published.ok);
  assert.match(published.error.object ?? '', /entries/);
});

test('applyPolicy() writes the entries directory, and releaseAll() removes it', () => {
  const host = fakeHost(2);
  runtime = host.paths.runtime;
  const applied = applyPolicy(policyOf(limited(1001, 20)), host, { kill: false, force: false });
  assert.ok(applied.ok && applied.value.failures.length === 0);
  assert.equal(read('1001/limit'), formatEntrySlots({ limit: 20 }));
  assert.ok(releaseAll(host, { kill: false }).ok);
  assert.ok(!existsSync(path()));
  mkdirSync(runtime, { recursive: true });
});
