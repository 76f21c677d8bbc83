/** Texts of /etc/modprobe.d and of the kernel's command line. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { deniedModules, parseModprobe, underscored } from '../../../core/modprobe/modprobe.ts';

const place = (line: number) => ({ file: 'f.conf', line });

describe('parseModprobe()', () => {
  const rows: readonly (readonly [string, object])[] = [
    ['blacklist snd-pcsp', { kind: 'blacklist', module: 'snd_pcsp' }],
    ['\tblacklist   floppy   # why', { kind: 'blacklist', module: 'floppy' }],
    ['install floppy /bin/false', { kind: 'install', module: 'floppy', command: '/bin/false' }],
    ['remove a-b  /bin/sh -c "x" ', { kind: 'remove', module: 'a_b', command: '/bin/sh -c "x"' }],
    ['alias net-pf-9 x25-z', { kind: 'alias', pattern: 'net_pf_9', module: 'x25_z' }],
    ['alias pci:v[0-9]-* m', { kind: 'alias', pattern: 'pci:v[0-9]_*', module: 'm' }],
    [
      'options snd-hda power=1 x="a b"',
      { kind: 'options', module: 'snd_hda', options: 'power=1 x="a b"' },
    ],
    [
      'options snd\\\n-hda \\\n  power=1',
      { kind: 'options', module: 'snd_hda', options: 'power=1' },
    ],
    ['softdep a pre: b', { kind: 'softdep', module: 'a', dependencies: 'pre: b' }],
    ['blacklist flo\\ppy', { kind: 'blacklist', module: 'floppy' }],
  ];
  for (const [text, setting] of rows) {
    test(`reads ${JSON.stringify(text)}`, () => {
      assert.deepEqual(parseModprobe('f.conf', text), {
        settings: [{ ...setting, place: place(1) }],
        problems: [],
      });
    });
  }

  test('skips blank lines and comments, with their continuation lines', () => {
    const text = '# one \\\nblacklist hidden\n\n   \nblacklist shown\n';
    assert.deepEqual(parseModprobe('f.conf', text).settings, [
      { kind: 'blacklist', module: 'shown', place: place(5) },
    ]);
  });

  test('reports lines that modprobe would ignore, with their place', () => {
    const text = 'blacklist\nblock x\ninstall x\nalias y\n  # not at the start\n';
    assert.deepEqual(
      parseModprobe('f.conf', text).problems.map((each) => [each.place.line, each.message]),
      [
        [1, '"blacklist" names no module'],
        [2, '"block" is not a command of modprobe.d'],
        [3, '"install x" is incomplete'],
        [4, '"alias y" is incomplete'],
        [5, '"#" is not a command of modprobe.d'],
      ],
    );
  });

  test('stops after 100,000 settings, and reports it', () => {
    const { problems, settings } = parseModprobe('f.conf', 'blacklist a\n'.repeat(100_002));
    assert.equal(settings.length, 100_000);
    assert.match(problems[0]?.message ?? '', /the rest was not read/);
  });

  test('reads long runs of backslashes and blanks', () => {
    for (const text of ['\\'.repeat(200_001), '\\\n'.repeat(50_000), ' '.repeat(200_000)])
      assert.equal(parseModprobe('f.conf', text).settings.length, 0);
  });
});

describe('deniedModules()', () => {
  test('returns modules whose install command does nothing, not blacklisted ones', () => {
    const text =
      'blacklist a\ninstall b /bin/false\ninstall c /usr/bin/true\ninstall d /sbin/modprobe -i d\ninstall e /bin/falsehood\n';
    const denied = deniedModules(parseModprobe('f.conf', text).settings);
    assert.deepEqual(
      [...denied],
      [
        ['b', place(2)],
        ['c', place(3)],
      ],
    );
  });
});

describe('underscored()', () => {
  test('replaces - with _, except in brackets', () => {
    assert.equal(underscored('a-b_c-d'), 'a_b_c_d');
    assert.equal(underscored('x[a-f]-y'), 'x[a-f]_y');
  });
});
