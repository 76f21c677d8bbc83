/** Decisions of `setup boot`: the options that a host lacks, and how words get into the text of a boot loader. */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { addOptions, removeOptions } from '../../../src/setup/core/boot/fstab.ts';
import type { BootFacts, HomeFileSystem } from '../../../src/setup/core/boot/facts.ts';
import { editGrubDefault } from '../../../src/setup/core/boot/grub-file.ts';
import { lsmList } from '../../../src/setup/core/boot/lsm-list.ts';
import { judge } from '../../../src/setup/core/boot/options.ts';
import type { BootOptionName } from '../../../src/setup/core/boot/option.ts';
import { parseBootRecord } from '../../../src/setup/core/boot/record.ts';
import { addWords, placeWords, removeWords } from '../../../src/setup/core/boot/words.ts';
import { layerAtBoot } from '../../../src/setup/commands/boot/layers.ts';
import { memoryOf } from '../../../src/setup/io/boot/read-facts.ts';
import { parseKernelConfig } from '../../../src/sys/kernel-config.ts';
import { formatScore, wordOfLayer, type Layer } from '../../../packages/base/layer.ts';

const config = (text: string) =>
  parseKernelConfig(
    text
      .split(' ')
      .map((each) => `CONFIG_${each}\n`)
      .join(''),
  );

const facts: BootFacts = {
  kernel: [6, 12],
  config: config('BPF_LSM=y DEBUG_INFO_BTF=y PSI=y MEMCG=y XFS_QUOTA=y'),
  commandLine: 'root=/dev/vda1 ro',
  lsm: ['lockdown', 'capability', 'apparmor'],
  hasPressure: true,
  memory: 'on',
  countsSwap: true,
  cgroups: 'v2',
  cgroupMount: { path: '/sys/fs/cgroup', isFavored: false },
  hasSystemd: true,
  homes: [],
};

const need = (name: BootOptionName, changes: Partial<BootFacts>) => {
  const found = judge({ ...facts, ...changes }).find(({ option }) => option.name === name);
  return found?.need;
};
const words = (name: BootOptionName, changes: Partial<BootFacts> = {}) => {
  const found = need(name, changes);
  return found?.kind === 'lacking' ? found.words : found?.kind;
};

const home = (mountPoint: string, type: string, userQuota = false): HomeFileSystem => ({
  mountPoint,
  type,
  node: '/dev/vda2',
  userQuota,
  isCounted: userQuota,
});

suite('the options that a host lacks', () => {
  test('lsm: only if the kernel has BPF, and bpf is not in force', () => {
    assert.deepEqual(words('lsm'), ['lsm=lockdown,apparmor,bpf']);
    assert.equal(words('lsm', { lsm: ['capability', 'bpf'] }), 'there');
    assert.equal(words('lsm', { lsm: undefined }), 'unknown');
    assert.equal(words('lsm', { config: undefined }), 'unknown');
    assert.equal(words('lsm', { config: config('PSI=y') }), 'impossible');
    assert.equal(words('lsm', { config: config('BPF_LSM=y') }), 'impossible');
  });

  test('the list keeps integrity, which kernels before 6.4 do not show and IMA needs', () => {
    const list = (inForce: string, built = '') =>
      lsmList(inForce.split(','), config(built)).join(',');
    assert.equal(list('lockdown,capability,yama', 'INTEGRITY=y'), 'lockdown,yama,bpf,integrity');
    assert.equal(list('capability,landlock,apparmor,ima,evm'), 'landlock,apparmor,bpf,ima,evm');
    assert.equal(list('capability,yama'), 'yama,bpf');
  });

  test('lsm: says that what is turned off now is not in the list', () => {
    const remark = (commandLine: string) => {
      const found = need('lsm', { commandLine });
      return found?.kind === 'lacking' ? found.remark : found?.kind;
    };
    assert.equal(remark('ro selinux=1 xselinux=0'), undefined);
    assert.match(remark('ro selinux=0') ?? '', /selinux=0 keeps out stay out/);
    assert.match(remark('security=apparmor ro') ?? '', /security=apparmor keeps out/);
  });

  test('pressure: psi=1 if the kernel has it turned off, and nobody did so on purpose', () => {
    const off = { hasPressure: false };
    assert.equal(words('pressure'), 'there');
    assert.deepEqual(words('pressure', off), ['psi=1']);
    assert.equal(words('pressure', { ...off, commandLine: 'ro psi=0' }), 'impossible');
    assert.equal(words('pressure', { ...off, config: config('BPF_LSM=y') }), 'impossible');
    assert.equal(words('pressure', { ...off, config: undefined }), 'unknown');
  });

  test('memory and swap of old kernels', () => {
    const old = config('MEMCG=y MEMCG_SWAP=y');
    assert.deepEqual(words('memory', { memory: 'off' }), ['cgroup_enable=memory']);
    const disabled = { memory: 'off', commandLine: 'cgroup_disable=memory' } as const;
    assert.equal(words('memory', disabled), 'impossible');
    assert.deepEqual(words('swap', { countsSwap: false, config: old }), ['swapaccount=1']);
    assert.deepEqual(words('swap', { countsSwap: undefined, memory: 'off', config: old }), [
      'swapaccount=1',
    ]);
    assert.equal(words('swap', { countsSwap: undefined, config: old }), 'unknown');
    assert.equal(words('swap', { countsSwap: false }), 'impossible');
    assert.deepEqual(['memory\t0\t9\t0', 'memory\t0\t9\t1', 'cpu\t0\t9\t1'].map(memoryOf), [
      'off',
      'on',
      undefined,
    ]);
  });

  test('quota: xfs at / by the kernel command line, other xfs by fstab, ext4 by hand', () => {
    assert.deepEqual(words('quota', { homes: [home('/', 'xfs')] }), ['rootflags=uquota']);
    const subvolume = { homes: [home('/', 'xfs')], commandLine: 'rootflags=noatime' };
    assert.deepEqual(words('quota', subvolume), ['rootflags=noatime,uquota']);
    assert.deepEqual(need('quota', { homes: [home('/home', 'xfs')] }), {
      kind: 'lacking',
      words: [],
      fstab: [{ mountPoint: '/home', option: 'uquota' }],
    });
    const onXfs = { homes: [home('/home', 'xfs')] };
    assert.equal(words('quota', { ...onXfs, config: config('XFS_FS=y') }), 'impossible');
    assert.equal(words('quota', { ...onXfs, config: undefined }), 'unknown');
    const ext4 = need('quota', { homes: [home('/', 'ext4')], config: undefined });
    assert.equal(ext4?.kind, 'by hand');
    assert.match(JSON.stringify(ext4), /rescue system.*tune2fs -O quota \/dev\/vda2/);
    const counted = need('quota', { homes: [{ ...home('/home', 'ext4'), isCounted: true }] });
    assert.match(JSON.stringify(counted), /needs no reboot.*remount,usrquota \/home && quotaon/);
    assert.equal(words('quota', { homes: [home('/', 'ext4', true)] }), 'there');
    assert.equal(words('quota', { homes: [home('/', 'btrfs')] }), 'impossible');
  });

  test('favordynmods: at once from Linux 6.0, and for good from 6.7', () => {
    const now = ['mount', '-o', 'remount,favordynmods', '/sys/fs/cgroup'];
    const found = need('favordynmods', {});
    assert.deepEqual(found, { kind: 'lacking', words: ['cgroup_favordynmods=true'], now });
    assert.deepEqual(words('favordynmods', { kernel: [6, 1] }), []);
    assert.equal(words('favordynmods', { kernel: [5, 14] }), 'impossible');
  });

  test('cgroup2: on hosts with cgroup v1 and systemd', () => {
    const v1 = { cgroups: 'v1', kernel: [4, 18] } as const;
    assert.deepEqual(words('cgroup2', v1), ['systemd.unified_cgroup_hierarchy=1']);
    assert.equal(words('cgroup2', { ...v1, kernel: [3, 10] }), 'impossible');
    assert.equal(words('cgroup2', { ...v1, hasSystemd: false }), 'impossible');
    assert.equal(words('cgroup2'), 'there');
  });
});

suite('words of a command line', () => {
  const place = (text: string, running = text) =>
    placeWords(['lsm=a,bpf', 'psi=1'], [text], running);

  test('placeWords() replaces what is there once and was booted with', () => {
    const placed = place('ro lsm=a quiet');
    assert.deepEqual(placed.ok && placed.value, [
      { word: 'lsm=a,bpf', instead: 'lsm=a' },
      { word: 'psi=1' },
    ]);
    const there = place('ro lsm=a,bpf');
    assert.deepEqual(there.ok && there.value, [{ word: 'psi=1' }]);
    const inOne = placeWords(['psi=1'], ['ro psi=1', 'ro'], 'ro');
    assert.deepEqual(inOne.ok && inOne.value, [{ word: 'psi=1' }]);
  });

  test('placeWords() refuses what it cannot judge', () => {
    const reason = (result: ReturnType<typeof placeWords>) =>
      result.ok ? undefined : result.error.reason;
    assert.match(reason(place('lsm=a x="lsm=b"')) ?? '', /"lsm=" is given 2 times: lsm=a lsm=b/);
    assert.match(reason(place('ro lsm=other', 'ro lsm=a')) ?? '', /booted without it/);
    assert.match(reason(place('lsm=$LIST', 'lsm=a')) ?? '', /lsm=\$LIST/);
    assert.match(reason(placeWords(['lsm=$(id)'], [''], '')) ?? '', /a shell would read/);
    assert.match(reason(placeWords(["rootflags=a'b"], [''], '')) ?? '', /a shell would read/);
  });

  test('removeWords() takes out exactly what addWords() put in', () => {
    const cases: readonly [string, string | undefined][] = [
      ['', undefined],
      ['\n', undefined],
      ['ro quiet\n', undefined],
      ['ro  lsm=a  quiet\n', 'lsm=a'],
      ['lsm=a', 'lsm=a'],
      ['xlsm=a,bpf ro', undefined],
      ['ro lsm=a,bpf,c', 'lsm=a,bpf,c'],
    ];
    for (const [text, instead] of cases) {
      const added = [{ word: 'lsm=a,bpf', ...(instead === undefined ? {} : { instead }) }];
      const edited = addWords(text, added);
      assert.match(edited, /(^|\s)lsm=a,bpf(\s|$)/, text);
      assert.equal(addWords(edited, added), edited);
      assert.equal(removeWords(edited, added), text);
    }
  });

  test('editGrubDefault() edits one plain line only', () => {
    const edit = (text: string) => editGrubDefault(text, (line) => `${line} psi=1`);
    assert.equal(
      edit('A=1\nGRUB_CMDLINE_LINUX="ro"\nB=2\n'),
      'A=1\nGRUB_CMDLINE_LINUX="ro psi=1"\nB=2\n',
    );
    for (const value of [`'ro'`, `"a \\"b\\""`, '"$(id)"', '"a" # why', `"a"'b'`, '"a', 'ro'])
      assert.equal(edit(`GRUB_CMDLINE_LINUX=${value}\n`), undefined, value);
    assert.equal(edit('GRUB_CMDLINE_LINUX="a"\nGRUB_CMDLINE_LINUX="b"\n'), undefined);
    assert.equal(edit('GRUB_CMDLINE_LINUX_DEFAULT="a"\n'), undefined);
  });
});

suite('options in /etc/fstab', () => {
  const uquota = [{ mountPoint: '/home', option: 'uquota' }];
  const text = '# /home\nUUID=a\t/\text4 rw 0 1\nUUID=b  /home  xfs  defaults,nodev  0 2\n';

  test('addOptions() changes one field, and removeOptions() takes only that out', () => {
    const added = addOptions(text, uquota);
    assert.ok(added.ok);
    assert.equal(added.value, text.replace('nodev', 'nodev,uquota'));
    assert.equal(removeOptions(added.value, uquota), text);
    const edited = added.value.replace('nodev', 'nodev,nosuid');
    assert.equal(removeOptions(edited, uquota), text.replace('nodev', 'nodev,nosuid'));
  });

  test('addOptions() refuses a mount point without a line, or with two', () => {
    for (const other of ['', `${text}UUID=c /home xfs x 0 0\n`, '# UUID=b /home xfs x 0 0\n'])
      assert.equal(addOptions(other, uquota).ok, false);
    const blank = addOptions('UUID=b /srv/a\\040b xfs rw 0 0', [
      { mountPoint: '/srv/a b', option: 'uquota' },
    ]);
    assert.equal(blank.ok && blank.value, 'UUID=b /srv/a\\040b xfs rw,uquota 0 0');
  });
});

suite('layers that a boot option raises', () => {
  const layer: Layer = { key: 'symlinks guard', state: 'unavailable', reason: 'no bpf' };
  const [lsm] = judge(facts);
  const shown = (state: 'needs a reboot' | 'at next reboot' | 'not possible', of = layer) =>
    layerAtBoot(of, lsm === undefined ? [] : [{ ...lsm, state }]);

  test('name the command before, and the reboot after', () => {
    const before = shown('needs a reboot');
    assert.equal(before.improve, 'bulkhead setup boot');
    assert.equal(wordOfLayer(before), 'needs a reboot');
    const after = shown('at next reboot');
    assert.equal(after.improve, undefined);
    assert.equal(wordOfLayer(after), 'at the next reboot');
    assert.equal(
      formatScore([before, layer, { ...layer, state: 'enforced' }]),
      '3 layers: 1 enforced, 1 needs a reboot, 1 not possible here',
    );
  });

  test('stay as they are if nothing would raise them, or they have another remedy', () => {
    assert.deepEqual(shown('not possible'), layer);
    const enforced: Layer = { ...layer, state: 'enforced' };
    assert.deepEqual(shown('needs a reboot', enforced), enforced);
    const weak: Layer = { key: 'symlinks guard', state: 'partly', reason: 'x', improve: 'y' };
    assert.deepEqual(shown('needs a reboot', weak), weak);
    const other: Layer = { ...layer, key: 'limit cpu' };
    assert.deepEqual(shown('needs a reboot', other), other);
  });
});

test('parseBootRecord() refuses what is damaged, and paths that lead out of the root', () => {
  const record = {
    version: 1,
    state: 'written',
    at: '2026-01-01T00:00:00.000Z',
    bootId: 'a',
    loader: 'grub',
    options: ['lsm'],
    words: [{ word: 'psi=1' }],
    fstab: [],
    files: [{ path: 'etc/fstab', role: 'fstab', before: null, after: null }],
  };
  const parsed = (changes: object) => parseBootRecord(JSON.stringify({ ...record, ...changes }));
  assert.equal(parsed({})?.loader, 'grub');
  assert.equal(parsed({ earlier: record })?.earlier?.words[0]?.word, 'psi=1');
  assert.equal(parseBootRecord(JSON.stringify(record).slice(0, -9)), undefined);
  for (const changes of [
    { version: 2 },
    { state: 'x' },
    { loader: 'lilo' },
    { options: ['x'] },
    { words: ['psi=1'] },
    { files: [{ ...record.files[0], path: '../etc/shadow' }] },
    { files: [{ ...record.files[0], role: 'x' }] },
    { earlier: { ...record, files: [{ ...record.files[0], path: '../etc/shadow' }] } },
  ])
    assert.equal(parsed(changes), undefined, JSON.stringify(changes));
});
