/** How the service of a tenant's PHP-FPM gets into its cgroup, by what the tenant is. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { DriverName } from '../../src/policy/document.ts';
import type { Policy, Tenant } from '../../src/policy/policy.ts';
import { launcherProblem } from '../../src/web/commands/fpm/enable.ts';
import { entryFor } from '../../src/web/commands/fpm/session.ts';
import type { SplitService } from '../../src/web/core/fpm/service/split.ts';
import {
  serviceUnit,
  type ServiceEntry,
  type UnitSetting,
} from '../../src/web/core/fpm/service/units.ts';

const setting: UnitSetting = {
  instance: 'bulkhead',
  php: '8.4',
  program: '/usr/sbin/php-fpm8.4',
  launcher: '/opt/bulkhead/dist/entry/x64/bulkhead-fpm',
  libexec: '/opt/bulkhead/libexec',
  directory: '/etc/bulkhead/fpm/8.4',
  hasPollLimit: true,
};
const service: SplitService = {
  tenant: { uid: 1001, gid: 1001, user: 'alice', hasOwnGroup: true },
  pools: [],
  files: [],
};
const launcher: ServiceEntry = { kind: 'launcher', instance: 'bulkhead', isJailed: false };
const slice: ServiceEntry = { ...launcher, kind: 'slice' };
const unit = (entry: ServiceEntry, more: Partial<SplitService> = {}) =>
  serviceUnit(setting, { ...service, ...more }, entry);
const valuesOf = (text: string, key: string) =>
  text
    .split('\n')
    .flatMap((line) => (line.startsWith(`${key}=`) ? [line.slice(key.length + 1)] : []));

/** Returns the commands that end workers, without the pause after a failure. */
const endings = (text: string) =>
  valuesOf(text, 'ExecStopPost').filter((each) => each.includes('pkill'));

/** Returns the commands that pause after a failure. */
const pauses = (text: string) =>
  valuesOf(text, 'ExecStopPost').filter((each) => each.includes('sleep'));

describe('serviceUnit()', () => {
  test('runs the service as the tenant in its slice', () => {
    const text = unit(slice);
    assert.deepEqual(valuesOf(text, 'Slice'), ['user-1001.slice']);
    assert.deepEqual(valuesOf(text, 'User'), ['1001']);
    assert.deepEqual(valuesOf(text, 'ExecStart'), [
      '+/opt/bulkhead/dist/entry/x64/bulkhead-fpm slice bulkhead 1001:1001 /usr/sbin/php-fpm8.4 /etc/bulkhead/fpm/8.4/1001.conf',
    ]);
    assert.deepEqual(endings(text), []);
    assert.deepEqual(valuesOf(text, 'ExecStartPre'), []);
  });

  test('enters the jail as root, and copies the configuration before each reload', () => {
    const words = '/usr/sbin/php-fpm8.4 /etc/bulkhead/fpm/8.4/1001.conf';
    for (const [entry, privilege, how, users] of [
      [slice, '+', 'slice bulkhead 1001:1001', ['1001']],
      [launcher, '', 'tenant bulkhead 1001', []],
    ] as const) {
      const text = unit({ ...entry, isJailed: true });
      const program = `${privilege}/opt/bulkhead/dist/entry/x64/bulkhead-fpm`;
      assert.deepEqual(valuesOf(text, 'User'), users);
      assert.deepEqual(valuesOf(text, 'ExecStartPre'), []);
      assert.deepEqual(valuesOf(text, 'ExecStart'), [`${program} ${how} ${words}`]);
      assert.deepEqual(valuesOf(text, 'ExecReload'), [
        `${program} copy bulkhead 1001 ${words}`,
        `${privilege}/bin/kill -USR2 $MAINPID`,
      ]);
      // As the tenant, the kernel would refuse every program outside the jail, and the service would fail.
      for (const each of pauses(text)) assert.ok(each.startsWith(`${privilege}/bin/sh -c `), each);
      assert.equal(pauses(text).length, 1);
      assert.match(text, /^Description=.*, in its jail$/m);
    }
  });

  test("passes the site to the launcher, and names the site's jail in the description", () => {
    const words = '/usr/sbin/php-fpm8.4 /etc/bulkhead/fpm/8.4/1001-shop.example.conf';
    const site = 'shop.example';
    const own = unit({ ...slice, isJailed: true, isSiteJailed: true }, { site });
    const program = '+/opt/bulkhead/dist/entry/x64/bulkhead-fpm';
    const start = `${program} slice bulkhead 1001:1001 ${words} ${site}`;
    assert.deepEqual(valuesOf(own, 'ExecStart'), [start]);
    assert.equal(valuesOf(own, 'ExecReload')[0], `${program} copy bulkhead 1001 ${words} ${site}`);
    assert.match(own, /^Description=.*, in the jail of the site$/m);
    const ofTenant = unit({ ...slice, isJailed: true }, { site });
    assert.notEqual(own, ofTenant, 'so that the service is started again');
    assert.deepEqual(valuesOf(unit(slice, { site }), 'ExecStart'), [start]);
  });

  test('runs as root in a slice only when a pool sets chroot', () => {
    const text = unit(slice, { asRoot: 'chroot' });
    assert.deepEqual(valuesOf(text, 'Slice'), ['user-1001.slice']);
    assert.deepEqual(valuesOf(text, 'User'), []);
    assert.match(
      valuesOf(text, 'ExecStart').join(),
      /^\S+\/bulkhead-fpm slice-root bulkhead 1001 /,
    );
  });

  test('enters the cgroup by the launcher outside slices, and ends workers left behind', () => {
    const text = unit(launcher);
    for (const key of ['Slice', 'User']) assert.deepEqual(valuesOf(text, key), []);
    assert.match(valuesOf(text, 'ExecStart').join(), /\/bulkhead-fpm tenant bulkhead 1001 /);
    assert.deepEqual(endings(text), ["-/usr/bin/pkill -QUIT -P 1 -U 1001 -f '^php-fpm: pool '"]);
  });
});

describe('entryFor()', () => {
  const [shop, blog] = [
    {
      name: 'shop.example',
      chain: [{ jail: { profile: { value: 'web' }, paths: [], home: { value: '/srv/shop' } } }],
    },
    { name: 'blog.example', chain: [] },
  ];
  const jail = { profile: { value: 'web' }, paths: [] };
  const tenants = [
    { uid: 1001, chain: [{ jail }], sites: [] },
    { uid: 1002, reseller: 1000, chain: [], sites: [shop, blog] },
  ] as unknown as Policy['tenants'];
  const kinds = (driver: DriverName) => {
    const of = entryFor({ instance: 'bulkhead' }, { tenants }, {
      capabilities: { driver },
    } as Parameters<typeof entryFor>[2]);
    return tenants.map((tenant) => of({ tenant }).kind);
  };

  test('reads from the policy which tenants and sites have jails', () => {
    const of = entryFor({ instance: 'bulkhead' }, { tenants }, {
      capabilities: { driver: 'cgroup2' },
    } as Parameters<typeof entryFor>[2]);
    assert.deepEqual(
      tenants.map((tenant) => of({ tenant }).isJailed),
      [true, false],
    );
    const [first, second] = tenants;
    assert.ok(first && second);
    const ofSite = (tenant: Tenant, site: string) => {
      const { isJailed, isSiteJailed = false } = of({ tenant, site });
      return [isJailed, isSiteJailed];
    };
    assert.deepEqual(ofSite(second, 'shop.example'), [true, true]);
    assert.deepEqual(ofSite(second, 'blog.example'), [false, false]);
    assert.deepEqual(ofSite(first, 'shop.example'), [true, false]);
  });

  test('returns slice only for tenants without a reseller under the systemd driver', () => {
    assert.deepEqual(kinds('systemd'), ['slice', 'launcher']);
    assert.deepEqual(kinds('cgroup2'), ['launcher', 'launcher']);
    assert.deepEqual(kinds('cgroup1'), ['launcher', 'launcher']);
  });
});

test('launcherProblem() names a launcher that was not compiled', () => {
  assert.equal(launcherProblem('/bin/sh'), undefined);
  assert.deepEqual(launcherProblem('/nonexistent/bulkhead-fpm'), {
    action: "start tenants' PHP-FPM",
    object: '/nonexistent/bulkhead-fpm',
    reason: 'there is no such program',
    hint: 'run scripts/with-node scripts/entry.ts in a clone, or install the package again',
  });
});
