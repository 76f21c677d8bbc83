/** Limits where tenants are systemd slices: systemd sets each file, or `doctor` reports it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  full,
  setting,
  type KernelSide2,
  type SupportContext,
  withoutFiles,
} from '../../src/limits/limit.ts';
import { attributes, limitAttribute, limits } from '../../src/limits/limits.ts';
import { sliceSettings, sliceSupport, sliceText } from '../../src/plan/slice.ts';
import { contextOf } from './wanted-of.ts';

const context: SupportContext = {
  ...contextOf(2),
  files: new Set(limits.flatMap(({ cgroup2 }) => Object.keys(cgroup2.since))),
  fileSystems: [],
  isProtectionRecursive: true,
  usesMultiGenLru: false,
};

const settings = limits.flatMap(({ cgroup2 }) => cgroup2.settings({}, context));
const files = new Set(settings.map(({ file }) => file));

test('limits write every file of cgroup v2 that they name, and only those', () => {
  assert.deepEqual([...files].sort(), [...context.files].sort());
  assert.ok(files.size >= 8);
});

for (const file of files) {
  const some = settings.filter((each) => each.file === file);

  test(`sliceText() has a line for ${file}, or sliceSupport() reports that it has none`, () => {
    const isKept = sliceSettings(some).length === some.length;
    assert.equal(sliceText(some) !== sliceText([]), isKept);
    if (isKept) return;
    assert.deepEqual(sliceSettings(some), []);
    for (const { attribute: key } of some) {
      const attribute = attributes.get(key);
      assert.ok(attribute !== undefined, key);
      const { level, reason } = sliceSupport(attribute, full, context);
      assert.equal(level, 'partial', key);
      assert.match(reason ?? '', /systemd has no setting for it/);
    }
  });
}

test('sliceSupport() changes nothing for a limit that systemd sets or the kernel lacks', () => {
  const missing = { level: 'none', reason: 'this kernel lacks it' } as const;
  for (const attribute of attributes.values()) {
    assert.equal(sliceSupport(attribute, missing, context), missing);
    if (attribute.key !== 'cpu.burst') assert.equal(sliceSupport(attribute, full, context), full);
  }
});

test('sliceText() throws when a file is in no row of the table', () => {
  const unknown = setting('cpu.limit', 'cpu', 'cpu.unknown', '1', '0');
  assert.throws(() => sliceText([unknown]), /No limit in the table has the file cpu\.unknown/);
  assert.throws(() => sliceSettings([unknown]), /cpu\.unknown/);
});

test('KernelSide2 needs the systemd setting and the release of each file', () => {
  const row = {
    ...withoutFiles(() => full),
    settings: () => [setting('cpu.limit', 'cpu', 'cpu.new', '1', '0')],
  };
  // @ts-expect-error: "cpu.new" is missing in both.
  const incomplete: KernelSide2<'cpu.new'> = { ...row, since: {}, systemd: {} };
  const complete: KernelSide2<'cpu.new'> = {
    ...row,
    since: { 'cpu.new': 700 },
    systemd: { 'cpu.new': 'none' },
  };
  // @ts-expect-error: the settings have a file that the records do not name.
  const other: KernelSide2<'cpu.max'> = {
    ...row,
    since: { 'cpu.max': 415 },
    systemd: { 'cpu.max': 'none' },
  };
  assert.ok([incomplete, complete, other].every(({ systemd }) => typeof systemd === 'object'));
});

const supportOf = (side: 'cgroup1' | 'cgroup2', some: Partial<SupportContext>) =>
  limitAttribute('memory.guaranteed').limit[side].support('guaranteed', { ...context, ...some });

test('support() of a guarantee is partial without inheritance, and none on v1', () => {
  assert.equal(supportOf('cgroup2', {}), full);
  const once = supportOf('cgroup2', { usesMultiGenLru: true });
  assert.equal(once.level, 'partial');
  assert.equal(once.help, 'run "echo n > /sys/kernel/mm/lru_gen/enabled"');
  const both = supportOf('cgroup2', { usesMultiGenLru: true, isProtectionRecursive: false });
  assert.match(both.reason ?? '', /second attempt; the cgroup file system is mounted without/);
  const alone = supportOf('cgroup2', { isProtectionRecursive: false });
  assert.equal(alone.level, 'partial');
  assert.match(alone.help ?? '', /mount -o remount,memory_recursiveprot/);
  const none = supportOf('cgroup1', {});
  assert.equal(none.level, 'none');
  assert.match(none.reason ?? '', /its soft limit only decides which cgroups lose memory first/);
});
