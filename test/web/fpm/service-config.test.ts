/** Configurations and units of services for pools; nothing is run. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ownPool, serviceConfig } from '../../../src/web/core/fpm/service/config.ts';
import { mainFile } from '../../../src/web/core/fpm/service/main-file.ts';
import type { ServiceTenant } from '../../../src/web/core/fpm/service/split.ts';
import {
  distributionDropIn,
  isConfigName,
  parseUnitName,
  serviceName,
  serviceUnit,
  socketUnit,
} from '../../../src/web/core/fpm/service/units.ts';
import { alice, bob, file, pool, split } from './split-pools.ts';

test("serviceConfig() uses the lower entries limit of tenant and site, and the site's names", () => {
  const siteOf = () => 'shop.example';
  const [service] = split([file('a.conf', pool('a', 'alice'))], { siteOf }).services;
  assert.ok(service?.pools[0]);
  const max = (entries: number | undefined, ofSite: number | undefined) => {
    const { entries: _entries, ...rest } = service.tenant;
    const site = { name: 'shop.example', ...(ofSite === undefined ? {} : { entries: ofSite }) };
    const tenant = { ...rest, ...(entries === undefined ? {} : { entries }), sites: [site] };
    const text = serviceConfig({ ...service, tenant }, '8.4');
    return /^process\.max = (\d+)$/m.exec(text)?.[1];
  };
  assert.deepEqual([max(8, 5), max(3, 5), max(8, undefined)], ['5', '3', '8']);
  assert.deepEqual([max(undefined, 5), max(undefined, undefined)], ['5', undefined]);
  assert.match(
    serviceConfig(service, '8.4'),
    /^syslog\.ident = php-fpm8\.4-alice\/shop\.example$/m,
  );
  const entry = { kind: 'launcher', instance: 'bulkhead', isJailed: false } as const;
  assert.match(
    serviceUnit(setting, service, entry),
    /^ExecStart=.* 1001 \S+ \/etc\/bulkhead\/fpm\/8\.4\/1001-shop\.example\.conf shop\.example$/m,
  );
  // The name of the socket does not change with the site.
  assert.match(
    socketUnit(setting, service, service.pools[0]),
    /^Service=bulkhead-fpm84@1001:shop\.example\.service$/m,
  );
  assert.deepEqual(parseUnitName(setting, serviceName(setting, service)), {
    uid: 1001,
    type: 'service',
    site: 'shop.example',
  });
  for (const name of ['1001.conf', '1001-shop.example.conf'])
    assert.equal(isConfigName(name), true, name);
  for (const name of ['php-fpm.conf', '1001-.conf', '1001-Shop.conf', '1001-a.conf.bak', 'tenants'])
    assert.equal(isConfigName(name), false, name);
});

test('serviceConfig() allows as many workers as entries, and enough for every pool', () => {
  const max = (...pms: readonly string[]) => {
    const files = pms.map((pm, index) => file(`${index}.conf`, pool(`p${index}`, 'alice', pm)));
    const [service] = split(files).services;
    assert.ok(service);
    return Number(/^process\.max = (\d+)$/m.exec(serviceConfig(service, '8.4'))?.[1]);
  };
  const dynamic = 'pm.start_servers = 5\npm.min_spare_servers = 2\n';
  const onDemand = 'pm = ondemand\n';
  assert.equal(max(dynamic), 8);
  assert.equal(max('pm = static\npm.max_children = 30\n'), 8);
  assert.equal(max(onDemand, onDemand), 8);
  assert.equal(max(dynamic, dynamic), 10);
  assert.equal(max(dynamic, 'pm = static\npm.max_children = 30\n', onDemand), 36);
});

test('ownPool() has as many workers as entries', () => {
  const values = (tenant: ServiceTenant) =>
    [...ownPool(tenant, '8.4', 'www-data').matchAll(/^pm\.\S+ = (\d+)$/gm)].map(([, n]) =>
      Number(n),
    );
  assert.deepEqual(values(alice), [8, 5, 5, 8]);
  assert.deepEqual(values({ ...alice, entries: 1 }), [1, 1, 1, 1]);
  assert.deepEqual(values(bob), [20, 5, 5, 10]);
});

test('mainFile() keeps its text, and links each include to its own directory', () => {
  const kept = file('w.conf', pool('w', 'www-data'));
  const made = mainFile(
    '[global]\n; include = no\ninclude=/pools/*.conf\n  include = "/more/*.conf"\n',
    [
      { pattern: '/pools/*.conf', files: [file('a.conf', ''), kept] },
      { pattern: '/more/*.conf', files: [] },
    ],
    [kept],
    '/links',
    '/run/none.sock',
  );
  assert.match(
    made.text,
    /^; include = no\ninclude=\/links\/1\/\*\.conf\n {2}include = \/links\/2\/\*\.conf$/m,
  );
  assert.deepEqual(
    [...made.links],
    [
      ['1/000001-w.conf', '/pools/w.conf'],
      // Its directory has to be there.
      ['2/000000-none.conf', '/dev/null'],
    ],
  );
});

const setting = {
  instance: 'bulkhead',
  php: '8.4',
  program: '/usr/sbin/php-fpm8.4',
  launcher: '/x/dist/entry/x64/bulkhead-fpm',
  libexec: '/x/libexec',
  directory: '/etc/bulkhead/fpm/8.4',
  hasPollLimit: true,
};

test('serviceUnit() and socketUnit() are for one tenant, and parseUnitName() reads their names', () => {
  const [service] = split([file('a.conf', pool('a', 'alice'))]).services;
  assert.ok(service?.pools[0]);
  const tree = serviceUnit(setting, service, {
    kind: 'launcher',
    instance: 'bulkhead',
    isJailed: false,
  });
  assert.match(tree, /^ExecStart=\/x\/dist\/entry\/x64\/bulkhead-fpm tenant bulkhead 1001 /m);
  assert.doesNotMatch(tree, /^(User|Slice|NoNewPrivileges)=/m);
  const inSlice = { kind: 'slice', instance: 'bulkhead', isJailed: false } as const;
  const slice = serviceUnit(setting, service, inSlice);
  assert.match(slice, /^Slice=user-1001\.slice\nUser=1001$/m);
  assert.match(
    slice,
    /^ExecStart=\+\/x\/dist\/entry\/x64\/bulkhead-fpm slice bulkhead 1001:1001 /m,
  );
  const site = { ...service, site: 'my-shop.example' };
  const siteSlice = serviceUnit(setting, site, inSlice);
  assert.match(siteSlice, /^Slice=user-1001-my\\x2dshop\.example\.slice$/m);
  assert.match(siteSlice, / \S+1001-my-shop\.example\.conf my-shop\.example$/m);
  const root = { ...service, asRoot: 'pool a has chroot' };
  assert.match(
    serviceUnit(setting, root, inSlice),
    /^Slice=user-1001\.slice\nExecStart=\/x\/dist\/entry\/x64\/bulkhead-fpm slice-root bulkhead 1001 /m,
  );
  assert.match(serviceUnit(setting, root, inSlice), /^ReadOnlyPaths=\/run\/php$/m);
  const socket = socketUnit(setting, service, service.pools[0]);
  assert.match(socket, /^PollLimitBurst=5$/m);
  assert.match(socket, /^SocketMode=0660$/m);
  const older = socketUnit({ ...setting, hasPollLimit: false }, service, service.pools[0]);
  assert.doesNotMatch(older, /PollLimit/);
  assert.match(serviceUnit(setting, service, inSlice), /sleep 2/);
  for (const each of [tree, slice, socket])
    assert.match(each, /^ConditionPathExists=!\/var\/lib\/bulkhead\/stopped\/1001$/m);
  for (const each of [tree, slice, serviceUnit(setting, root, inSlice)]) {
    // A process of the tenant's has nothing to say to systemd, and its end is bounded.
    assert.match(each, /^Type=exec\nNotifyAccess=none$/m);
    assert.match(each, /^SendSIGKILL=yes\nTimeoutStopSec=60$/m);
    assert.match(each, /^OOMPolicy=continue$/m);
  }
  assert.deepEqual(
    distributionDropIn(setting, undefined)
      .match(/^Exec\w+=.*fpm-sync.*$/gm)
      ?.map((line) => line.replace(/\/x\/\S+ bulkhead 8\.4/, '')),
    ['ExecStartPre=-+ start', 'ExecReload=-+ reload', 'ExecReload=+ reloaded'],
  );
  assert.deepEqual(parseUnitName(setting, 'bulkhead-fpm84@1001.service'), {
    uid: 1001,
    type: 'service',
  });
  assert.deepEqual(parseUnitName(setting, 'bulkhead-fpm84@1001:a.b.socket'), {
    uid: 1001,
    type: 'socket',
  });
  for (const name of [
    'bulkhead-fpm83@1001.service',
    'bulkhead-fpm84@.service',
    'bulkhead-fpm84@root.service',
    'bulkhead-fpm84@1001:a b.socket',
    'php8.4-fpm.service',
  ])
    assert.equal(parseUnitName(setting, name), undefined, name);
});
