/** PHP of accounts that were removed, on a host where no agent runs: `apply` ends it. */
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { failed } from '../../../packages/base/problem.ts';
import { ok } from '../../../packages/base/result.ts';
import { pathsOf } from '../../../src/host/paths.ts';
import {
  endRemovedNow,
  planRemovedNow,
  type Systemd,
} from '../../../src/web/io/fpm/idle/end-removed.ts';
import { suiteDirectory } from '../../../testing/temporary-directory.ts';

const units = [
  'bulkhead-fpm84@3101.service',
  'bulkhead-fpm84@3102.service',
  'bulkhead-fpm84@3102:shop.example.service',
  'bulkhead-fpm84@3102:shop.socket',
  'bulkhead-fpm84@3101:blog.socket',
];
const isRemoved = (uid: string) => Promise.resolve(uid === '3102');

function pathsIn() {
  const etc = suiteDirectory('fpm-removed');
  return { ...pathsOf('bulkhead'), etc };
}

function withServices(etc: string): void {
  mkdirSync(`${etc}/bulkhead/fpm/8.4`, { recursive: true });
  writeFileSync(`${etc}/bulkhead/fpm/8.4/tenants`, 'all\n');
}

class FakeSystemd implements Systemd {
  readonly patterns: string[] = [];
  readonly stopped: string[] = [];
  readonly isBroken: boolean;

  constructor(isBroken = false) {
    this.isBroken = isBroken;
  }

  running(pattern: string) {
    this.patterns.push(pattern);
    return Promise.resolve(ok(units));
  }

  stop(named: readonly string[]) {
    this.stopped.push(...named);
    const problem = failed({ action: 'run systemctl stop of', reason: 'it did not finish' });
    return Promise.resolve(this.isBroken ? problem : ok(undefined));
  }
}

test('endRemovedNow() stops sockets and services of removed accounts only', async () => {
  const paths = pathsIn();
  withServices(paths.etc);
  const systemd = new FakeSystemd();
  assert.deepEqual(await planRemovedNow(paths, systemd, isRemoved), [
    `end ${[units[3], units[1], units[2]].join(', ')}: the account of uid 3102 was removed`,
  ]);
  assert.deepEqual(systemd.stopped, []);
  systemd.patterns.length = 0;
  assert.deepEqual(await endRemovedNow(paths, systemd, isRemoved), []);
  assert.deepEqual(systemd.patterns, ['bulkhead-fpm*@*']);
  assert.deepEqual(systemd.stopped, [units[3], units[1], units[2]]);
});

test('endRemovedNow() does not ask systemd when no tenant has a service', async () => {
  const systemd = new FakeSystemd();
  assert.deepEqual(await endRemovedNow(pathsIn(), systemd, isRemoved), []);
  assert.deepEqual(systemd.patterns, []);
});

test('endRemovedNow() returns a problem when systemd cannot stop a unit', async () => {
  const paths = pathsIn();
  withServices(paths.etc);
  const [problem] = await endRemovedNow(paths, new FakeSystemd(true), isRemoved);
  assert.equal(problem?.action, 'end the PHP-FPM services of accounts that were removed');
  assert.match(problem?.reason ?? '', /it did not finish/);
});

test('endRemovedNow() keeps the services of accounts that are not removed', async () => {
  const paths = pathsIn();
  withServices(paths.etc);
  const systemd = new FakeSystemd();
  await endRemovedNow(paths, systemd, () => Promise.resolve(false));
  assert.deepEqual(systemd.stopped, []);
});
