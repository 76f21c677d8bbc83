/** `wantedState()` writes the files and texts of the table for each limit. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { limits } from '../../src/limits/limits.ts';
import { cgroupSetup, resellerCgroup, tenantCgroup, type Wanted } from '../../src/plan/wanted.ts';
import { contextOf, isRefused, sideOf, versions, wantedOf, type Version } from './wanted-of.ts';
import { type Lines, reseller, tenant, caps2, noCaps2, rows } from './settings-rows.ts';

/** Returns the lines of one of the two, only for files that the row names. */
function linesOf(
  version: Version,
  body: string,
  cgroup: string,
  files: ReadonlySet<string>,
): Lines {
  const wanted = wantedOf(body, contextOf(version));
  const settings = wanted.cgroups.find((each) => each.path === cgroup)?.settings ?? [];
  const quotas = cgroup.endsWith(`u${tenant.uid}`) ? wanted.quotas : [];
  return [
    ...settings.filter(({ file }) => files.has(file)).map(({ file, write }) => `${file} ${write}`),
    ...quotas.map(
      ({ mountPoint, spaceBytes = 'any', files = 'any' }) =>
        `quota ${mountPoint} ${spaceBytes} bytes, ${files} files`,
    ),
  ];
}

const fileOf = (line: string) => line.slice(0, line.indexOf(' '));
const tenantElement = (inside: string) => `<tenant user="${tenant.user}">${inside}</tenant>`;
const resellerElement = (inside: string) =>
  `<reseller user="${reseller.user}">${inside}</reseller>`;

for (const version of versions) {
  for (const [key, row] of Object.entries(rows)) {
    const [limit = '', attribute = ''] = key.split('.');
    const expected = row[`v${version}`];
    const files = new Set(expected.set.map(fileOf));
    const element = (...attributes: readonly (string | undefined)[]) =>
      `<${limit} ${attributes.filter((each) => each !== undefined).join(' ')}/>`;
    const set = element(row.beside, `${attribute}="${row.value}"`);
    const unlimited = element(row.beside, `${attribute}="unlimited"`);
    const absent = row.beside === undefined ? '' : element(row.beside);
    const ofTenant = (inside: string) =>
      linesOf(
        version,
        tenantElement(inside),
        tenantCgroup({ ...tenant, reseller: undefined }),
        files,
      );

    test(`wantedState() writes ${key} on cgroup v${version} when it is set`, () => {
      assert.deepEqual(ofTenant(set), expected.set);
    });

    test(`wantedState() writes ${key} on cgroup v${version} when it is unlimited`, () => {
      if (expected.unlimited === 'refused') assert.ok(isRefused(tenantElement(unlimited)));
      else assert.deepEqual(ofTenant(unlimited), expected.unlimited);
    });

    test(`wantedState() writes ${key} on cgroup v${version} when it is absent`, () => {
      assert.deepEqual(ofTenant(absent), expected.absent);
    });

    test(`wantedState() writes ${key} on cgroup v${version} when its reseller has less`, () => {
      const body = resellerElement(element(row.parentLimits) + tenantElement(set));
      const cgroup = tenantCgroup({ uid: tenant.uid, reseller: reseller.uid });
      assert.deepEqual(linesOf(version, body, cgroup, files), expected.below);
    });

    test(`wantedState() writes ${key} on cgroup v${version} when a reseller has it`, () => {
      const lines = linesOf(version, resellerElement(set), resellerCgroup(reseller.uid), files);
      // The kernel has quotas of users, and none of all users of a reseller.
      assert.deepEqual(lines, limit === 'disk' ? [] : expected.set);
    });
  }

  test(`wantedState() writes no file on cgroup v${version} that the table does not name`, () => {
    for (const limit of limits) {
      const named = Object.entries(rows)
        .filter(([key]) => key.startsWith(`${limit.name}.`))
        .flatMap(([, row]) => row[`v${version}`].set.map(fileOf));
      const written = limit[sideOf(version)].settings({}, contextOf(version));
      for (const { file } of written) assert.ok(named.includes(file), `${limit.name} ${file}`);
    }
  });
}

test('limits has no attribute that the table does not name', () => {
  const keys = limits.flatMap(({ name, attributes }) =>
    Object.keys(attributes).map((attribute) => `${name}.${attribute}`),
  );
  assert.deepEqual(Object.keys(rows).toSorted(), keys.toSorted());
});

/** The combined effect of two attributes, or of an attribute and the host. */
const together: readonly (readonly [
  when: string,
  version: Version,
  element: string,
  lines: readonly string[],
])[] = [
  ['burst is above limit', 2, '<cpu limit="50%" burst="80%"/>', ['cpu.max.burst 50000']],
  ['burst is above limit', 1, '<cpu limit="50%" burst="80%"/>', ['cpu.cfs_burst_us 50000']],
  ['burst has no limit', 2, '<cpu burst="80%"/>', ['cpu.max.burst 0']],
  ['burst has no limit', 1, '<cpu burst="80%"/>', ['cpu.cfs_burst_us 0']],
  ['limit is the minimum', 2, '<cpu limit="1%"/>', ['cpu.max 1000 100000']],
  ['limit is the minimum', 1, '<cpu limit="1%"/>', ['cpu.cfs_quota_us 1000']],
  ['weight is the minimum', 1, '<cpu weight="1"/>', ['cpu.shares 10']],
  ['limit is not a whole page', 2, '<memory limit="5000kB"/>', ['memory.max 4997120']],
  ['limit is not a whole page', 1, '<memory limit="5000kB"/>', ['memory.limit_in_bytes 4997120']],
  ['swap is 0', 2, '<memory limit="8MiB" swap="0B"/>', ['memory.swap.max 0']],
  ['swap is 0', 1, '<memory limit="8MiB" swap="0B"/>', ['memory.memsw.limit_in_bytes 8392704']],
  ['swap has no limit', 2, '<memory swap="8MiB"/>', ['memory.swap.max 8388608']],
  ['swap has no limit', 1, '<memory swap="8MiB"/>', ['memory.memsw.limit_in_bytes -1']],
  ['limit is PID_MAX_LIMIT', 2, '<processes limit="4194304"/>', ['pids.max max']],
  ['limit is just below', 2, '<processes limit="4194303"/>', ['pids.max 4194303']],
  ['reads exceed 32 bits', 2, '<io reads="4294967295/s"/>', [...noCaps2]],
  [
    'reads exceed 32 bits',
    1,
    '<io reads="4294967295/s"/>',
    ['blkio.throttle.read_iops_device 8:0 0'],
  ],
  [
    'read is below total',
    2,
    '<io total="3MiB/s" read="1MiB/s"/>',
    [...caps2('1048576', '2097152', 'max', 'max')],
  ],
];

for (const [when, version, element, lines] of together) {
  test(`wantedState() writes "${lines.join()}" on cgroup v${version} when ${when}`, () => {
    const cgroup = tenantCgroup({ ...tenant, reseller: undefined });
    const files = new Set(lines.map(fileOf));
    assert.deepEqual(linesOf(version, tenantElement(element), cgroup, files), lines);
  });
}

test('wantedState() gives an unlimited tenant its reseller’s quota when it is on cgroup v1', () => {
  const cgroup = tenantCgroup({ uid: tenant.uid, reseller: reseller.uid });
  for (const inside of ['', '<cpu limit="unlimited"/>']) {
    const body = resellerElement(`<cpu limit="30%"/>${tenantElement(inside)}`);
    const lines = linesOf(1, body, cgroup, new Set(['cpu.cfs_quota_us']));
    assert.deepEqual(lines, ['cpu.cfs_quota_us 30000']);
  }
});

for (const version of versions) {
  const limitsOf = ({ cgroups }: Wanted) =>
    (cgroups.at(-1)?.settings ?? []).filter((each) => each.attribute !== cgroupSetup);
  const all = limitsOf(wantedOf(tenantElement(''), contextOf(version)));
  const settingsWith = (some: Parameters<typeof contextOf>[1]) =>
    limitsOf(wantedOf(tenantElement(''), contextOf(version, some)));

  for (const file of contextOf(version).files) {
    test(`wantedState() leaves out ${file} on cgroup v${version} when the kernel lacks it`, () => {
      const files = new Set(contextOf(version).files);
      files.delete(file);
      assert.ok(all.some((each) => each.file === file));
      assert.deepEqual(
        settingsWith({ files }),
        all.filter((each) => each.file !== file),
      );
    });
  }

  test(`wantedState() has a line for each disk on cgroup v${version} when there are two`, () => {
    const devices = ['8:0', '259:1'];
    const written = settingsWith({ devices }).filter(({ controller }) => controller === 'io');
    assert.deepEqual(new Set(written.map(({ device }) => device)), new Set(devices));
    assert.deepEqual(
      settingsWith({ devices: [] }),
      all.filter(({ controller }) => controller !== 'io'),
    );
  });

  for (const missing of contextOf(version).controllers) {
    test(`wantedState() leaves out ${missing} on cgroup v${version} when it is not mounted`, () => {
      const controllers = new Set(contextOf(version).controllers);
      controllers.delete(missing);
      const isLeft = (each: { readonly controller: string }) => each.controller !== missing;
      assert.deepEqual(
        limitsOf(wantedOf(tenantElement(''), { ...contextOf(version), controllers })),
        all.filter(isLeft),
      );
    });
  }
}
