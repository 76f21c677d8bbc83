/** The instance, uids and server that `prove` uses, and what it reports of the host. */
import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { formatProblem } from '../../packages/base/problem.ts';
import type { Driver } from '../../src/host/driver.ts';
import { pathsOf } from '../../src/host/paths.ts';
import { freeUids, idsIn, subordinateRanges } from '../../src/prove/core/uids.ts';
import { findFreeUids } from '../../src/prove/io/free-uids.ts';
import { reportHost } from '../../src/prove/io/host-report.ts';
import { proveLock, recordFile, scratchPaths } from '../../src/prove/io/scratch-paths.ts';
import { serverUser } from '../../src/prove/io/server-user.ts';
import { root, paths, put, policyOf, onlyRoot } from './scratch-stage.ts';

suite('scratchPaths()', () => {
  test('names an instance of its own, with a lock that outlives its directory', () => {
    const scratch = scratchPaths(pathsOf('bulkhead'));
    assert.equal(scratch.instance, 'bulkhead-prove');
    assert.equal(scratch.runtime, '/run/bulkhead-prove');
    assert.equal(proveLock(scratch), '/run/bulkhead-prove.lock');
    assert.equal(recordFile(scratch), '/run/bulkhead-prove/scratch.json');
  });

  test('rejects an instance name that leaves no space for the suffix', () => {
    assert.throws(() => scratchPaths(pathsOf(`b${'x'.repeat(40)}`)), /not a valid instance name/);
  });
});

suite('free uids', () => {
  test('freeUids() returns a whole row of uids, and continues after used ones', () => {
    const taken = [
      { first: 103, last: 103 },
      { first: 106, last: 110 },
    ];
    assert.equal(freeUids(taken, 4, 100), 111);
    assert.equal(freeUids(taken, 3, 100), 100);
    assert.equal(freeUids(taken, 2, 103), 104);
    assert.equal(freeUids([{ first: 0, last: 30_099 }], 1, 100), undefined, '30,000 were searched');
    assert.equal(freeUids([{ first: 0, last: 30_098 }], 1, 100), 30_099);
  });

  test('subordinateRanges() and idsIn() skip malformed lines', () => {
    assert.deepEqual(subordinateRanges(''), []);
    assert.deepEqual(subordinateRanges('a:1\nb:x:5\nc:5:-1\nd:12345678901:1\n e:7:2 '), [
      { first: 7, last: 8 },
    ]);
    assert.deepEqual(idsIn('a:x:1:1\n:::\nb:x:-5\nc:x:0x10\nd:x:9'), [
      { first: 1, last: 1 },
      { first: 9, last: 9 },
    ]);
  });

  test('findFreeUids() avoids accounts, groups, subordinate ranges and the policy', () => {
    put('etc/passwd', 'a:x:640000:640001::/:/bin/sh\n');
    put('etc/group', 'g:x:640001:\n');
    put('etc/subuid', 'a:640002:3\n');
    put('etc/subgid', 'a:640005:5\n');
    const inForce = policyOf(
      '<tenant uid="640010"/><reseller uid="640011"/><tenants uids="640012-640019"/>',
    );
    const of = { ...paths, proc: '/proc' };
    const found = findFreeUids(of, inForce, 4, 640_000);
    assert.deepEqual(found, { ok: true, value: 640_020 });
    assert.deepEqual(findFreeUids(of, undefined, 4, 640_000), { ok: true, value: 640_010 });
  });

  test('findFreeUids() avoids the uid of a running process', { skip: onlyRoot }, () => {
    const found = findFreeUids({ ...paths, proc: '/proc' }, undefined, 1, 0);
    assert.ok(found.ok && found.value !== 0, 'uid 0 has processes');
  });

  test('findFreeUids() reports a problem when none is free', () => {
    put('etc/subuid', 'a:0:4294967295\n');
    const found = findFreeUids({ ...paths, proc: '/proc' }, undefined, 4, undefined);
    assert.ok(!found.ok);
    assert.match(
      formatProblem(found.error),
      /^Cannot find uids that nobody has: accounts, \/etc\/subuid/,
    );
    rmSync(join(root, 'etc/subuid'));
  });
});

suite('serverUser()', () => {
  test('returns the first existing account, else a group, never root, else nobody', () => {
    put('etc/passwd', 'root:x:0:0::/root:/bin/sh\nwww-data:x:33:34::/var/www:/bin/sh\n');
    put('etc/group', 'root:x:0:\nweb:x:50:a,b\nbroken:x:x:\n');
    const user = (...names: readonly string[]) => serverUser(paths, names, 65_603);
    assert.deepEqual(user('www-data'), { uid: 33, gid: 34, groups: 'its own' });
    assert.deepEqual(user('web', 'www-data'), { uid: 65_603, gid: 50 });
    assert.deepEqual(user('root', 'www-data'), { uid: 33, gid: 34, groups: 'its own' });
    for (const names of [[], ['root'], ['broken'], ['no-such']])
      assert.deepEqual(user(...names), { uid: 65_603, gid: 65_603 }, names.join());
  });
});

const driver = {
  capabilities: {
    driver: 'cgroup2',
    reason: 'a test',
    devices: [],
    remarks: [],
    limits: new Map([
      ['cpu.limit', { level: 'full' }],
      ['io.write', { level: 'partial', reason: 'only past the page cache' }],
      ['disk.space', { level: 'none' }],
      ['io.read', { level: 'none', reason: 'it is not attacked' }],
    ]),
  },
  tree: { version: 2, hierarchies: [] },
} as unknown as Driver;

suite('reportHost()', () => {
  test('reads security modules and sysctls, and reports missing ones as unknown', () => {
    put('sys/kernel/security/lsm', 'capability,yama,bpf\n');
    put('proc/sys/fs/protected_symlinks', '1\n');
    put('proc/sys/kernel/yama/ptrace_scope', '2\n');
    const report = reportHost(paths, { driver, problems: [] }, undefined);
    assert.deepEqual(report.securityModules, ['capability', 'yama', 'bpf']);
    assert.equal(report.settings['fs.protected_symlinks'], '1');
    assert.equal(report.settings['kernel.yama.ptrace_scope'], '2');
    assert.equal(report.settings['kernel.dmesg_restrict'], undefined);
    assert.deepEqual([report.cgroups, report.driver], ['v2', 'cgroup2']);
    rmSync(join(root, 'sys'), { recursive: true });
    assert.equal(reportHost(paths, { driver, problems: [] }, undefined).securityModules, undefined);
  });

  test('lists attacked limits that are not fully enforced, with the reason or the level', () => {
    assert.deepEqual(reportHost(paths, { driver, problems: [] }, undefined).weakLimits, [
      'io write: only past the page cache',
      'disk space: none',
    ]);
  });

  test('reports which defences the policy has', () => {
    const defences = (body: string) =>
      Object.fromEntries(
        reportHost(paths, { driver, problems: [] }, policyOf(body).policy).defences.map(
          ({ name, on }) => [name, on],
        ),
      );
    assert.deepEqual(defences('<tenant uid="1001"/>'), {
      Agent: false,
      Jails: false,
      Network: false,
      Placement: false,
      Programs: false,
    });
    const more = defences(
      '<placement strict="yes"/><tenant uid="1001"><jail profile="web"/></tenant>',
    );
    assert.deepEqual([more['Jails'], more['Placement']], [true, true]);
    assert.equal(defences('<placement strict="watch"/>')['Placement'], false);
    const network = (body: string) => defences(`<tenant uid="1001">${body}</tenant>`)['Network'];
    assert.deepEqual([network('<reach/>'), network('<reach mode="watch"/>')], [true, false]);
  });
});
