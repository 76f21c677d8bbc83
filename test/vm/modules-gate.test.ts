/** The gate for kernel modules on a Debian host with systemd and its unmodified kernel, as an administrator uses it. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { suite, test } from 'node:test';
import { longPatienceMilliseconds } from '../../testing/patience.ts';
import { guestOfSuite, prepareGuests } from '../../testing/vm/suite.ts';
import { decompressed } from '../../packages/modules/io/inputs/decompress.ts';
import { jsonOf } from '../../testing/json-output.ts';
import { suiteDirectory } from '../../testing/temporary-directory.ts';
import type {
  ModulesGateEnableJson,
  ModulesGateSignaturesJson,
  ModulesGateStatusJson,
  ModulesGateSyncJson,
  ModulesGateWhyJson,
} from '../../src/modules/commands/json.ts';

const guests = await prepareGuests(import.meta.filename);
const moduleBytesMax = 2 ** 20;
const compressed = '/root/dummy.ko.xz';
const patient = { timeout: longPatienceMilliseconds };

/**
 * A program that prints the answer of `init_module` or `finit_module`. As kmod does, it has the kernel unpack a
 * compressed file, by flag 4 of the latter.
 */
const loader = String.raw`#!/usr/bin/perl
use strict; my ($how, $file) = @ARGV;
open my $f, '<:raw', $file or die; my $none = '';
my $r = $how eq 'memory' ? do { local $/; my $bytes = <$f>; syscall(175, $bytes, length $bytes, $none) }
  : syscall(313, fileno $f, $none, $how eq 'compressed' ? 4 : 0);
print $r == 0 ? 'loaded' : $!{EPERM} ? 'EPERM' : "other: $!";
`;

/**
 * Removes all drivers except those in use and the one that tests load: a list of all modules has been in force by then,
 * and each later scan takes a fifth of the time.
 */
const withFewDrivers = `cd /lib/modules/$(uname -r)
  { cut -d' ' -f1 /proc/modules; echo dummy; } | xargs modinfo -n | sed "s,^$PWD/,," > /root/needed
  find kernel/drivers kernel/sound kernel/net -name '*.ko*' | grep -vxFf /root/needed | xargs rm && depmod`;

suite('modules gate', { skip: guests.skip }, () => {
  const load = async (how: 'file' | 'compressed' | 'memory', file: string) =>
    (await succeed(`load ${how} ${file}`)).trim();
  const status = async () =>
    jsonOf<ModulesGateStatusJson>(
      'modules gate status',
      await succeed('bulkhead modules gate status --json'),
    );
  const policy = (more: string) =>
    write('/etc/bulkhead/policy.xml', `<bulkhead version="1">${more}</bulkhead>\n`);

  const directory = suiteDirectory('gate');
  const gate = guestOfSuite(guests, async (guest) => {
    const liar = join(directory, 'fuse-lies');
    const source = fileURLToPath(new URL('../attacks/fuse-lies.c', import.meta.url));
    execFileSync('gcc', ['-O2', '-static', '-o', liar, source]);
    await guest.copyIn(liar, '/usr/local/bin/fuse-lies');
    await write('/usr/local/bin/load', loader);
    await succeed('chmod 755 /usr/local/bin/load; mkdir -p /etc/bulkhead');
    await policy('');
    // The same module with another content, as somebody brings it.
    const stored = await succeed('base64 -w0 "$(modinfo -n dummy)"');
    const plain = decompressed(Uint8Array.fromBase64(stored.trim()), moduleBytesMax);
    assert.ok(plain.ok);
    await succeed('base64 -d > /root/dummy.ko', `${plain.value.toBase64()}\n`);
    await succeed('echo >> /root/dummy.ko');
    await succeed(`cp "$(modinfo -n dummy)" ${compressed} && echo >> ${compressed}`);
  });
  const { run, succeed, until, write } = gate;
  /** Serves a file that is a listed module when it is hashed, and another one when it is loaded. */
  const serveTwoFiles = () =>
    succeed(
      `listed=$(find /lib/modules/$(uname -r)/ -name '*.ko*' -size +200k | head -1); mkdir -p /mnt/lies; chmod 755 /usr/local/bin/fuse-lies; setsid fuse-lies /mnt/lies file "$listed" ${compressed} > /tmp/lies 2>&1 < /dev/null & echo $! > /tmp/lies.pid; for i in $(seq 3000); do grep -q mounted /tmp/lies && exit 0; sleep 0.1; done; cat /tmp/lies >&2; exit 1`,
    );
  const stopServing = () => succeed('kill $(cat /tmp/lies.pid); umount -l /mnt/lies');
  const howStored = async () =>
    (await succeed('modinfo -n dummy')).trim().endsWith('.xz') ? 'compressed' : 'file';

  test('modules gate enable --watch lets everything load', patient, async () => {
    assert.equal((await status()).obstacle, null);
    const would = await succeed('bulkhead modules gate enable --watch --dry-run --json');
    assert.ok(jsonOf<ModulesGateEnableJson>('modules gate enable', would).listed >= 100);
    const text = await succeed('bulkhead modules gate enable --watch');
    assert.match(text, /^Linux \S+: \d{3,} modules may load, 0 may not$/m);
    assert.equal((await status()).mode, 'watch');
    assert.equal(await load('file', '/root/dummy.ko'), 'loaded');
    await succeed('rmmod dummy');
    // Debian 12's modules are not compressed, and its kernel unpacks none.
    if ((await succeed('modinfo -n dummy')).trim().endsWith('.xz')) {
      assert.equal(await load('compressed', compressed), 'loaded');
      await succeed('rmmod dummy');
    }
  });

  test(
    'modules gate enable writes nothing without its BPF object, or with --dry-run',
    patient,
    async () => {
      await succeed(withFewDrivers);
      const list = '/var/lib/bulkhead/modules-gate/$(uname -r).json';
      const object = '/opt/bulkhead/dist/bpf/modules.bpf.o';
      await succeed(`bulkhead modules gate disable && rm ${list} && mv ${object} /root/`);
      const on = await run('bulkhead modules gate enable');
      assert.equal(on.status, 1);
      assert.match(on.stderr, /modules\.bpf\.o/);
      await succeed(`[ ! -e ${list} ] && mv /root/modules.bpf.o ${object}`);
      const json = await succeed('bulkhead modules gate enable --dry-run --json');
      assert.equal(jsonOf<ModulesGateEnableJson>('modules gate enable', json).mode, 'on');
      const dry = await succeed('bulkhead modules gate enable --dry-run');
      assert.match(dry, /The gate would be "on"/);
      await succeed(`[ ! -e ${list} ]`);
    },
  );

  test('modules gate enable lets only listed modules load', patient, async () => {
    await succeed('bulkhead modules gate enable');
    const { mode, atBoot, listed } = await status();
    assert.deepEqual([mode, atBoot], ['on', 'on']);
    assert.ok(listed !== null && listed > 100);
    assert.equal(await load('file', '/root/dummy.ko'), 'EPERM');
    assert.equal(await load('compressed', compressed), 'EPERM');
    assert.equal(await load('memory', '/root/dummy.ko'), 'EPERM');
    const insmod = await run('insmod /root/dummy.ko');
    assert.notEqual(insmod.status, 0);
    const told = await succeed('bulkhead modules gate status');
    assert.match(
      told,
      /Z dummy\.ko is not on the list, and was loaded: load \(process \d+, uid 0\)/,
    );
    assert.match(
      told,
      /Z dummy\.ko was refused: insmod \(process \d+, uid 0\), SHA-256 [0-9a-f]{64}/,
    );
    assert.match(told, /Z A module from memory was refused: load /);
    assert.doesNotMatch(told, /gate-(un)?listed|gate-refused/);
    await succeed('modprobe dummy && rmmod dummy');
  });

  test('modules gate refuses a file that a program serves', patient, async () => {
    await serveTwoFiles();
    assert.equal(await load(await howStored(), '/mnt/lies/x'), 'EPERM');
    await stopServing();
    assert.match(
      await succeed('bulkhead modules gate status'),
      /Z x was refused: load \(process \d+, uid 0\), no digest: it lies on a file system that/,
    );
    assert.notEqual((await run('grep -q ^dummy /proc/modules')).status, 0);
  });

  test('modules gate enable fails when modules are on an overlay', patient, async () => {
    await succeed(
      'mkdir -p /mnt/up /mnt/work && mount -t overlay overlay -o lowerdir=/lib/modules,upperdir=/mnt/up,workdir=/mnt/work /lib/modules',
    );
    const on = await run('bulkhead modules gate enable');
    assert.equal(on.status, 1);
    assert.match(on.stderr, /modules lie on a file system \(overlay\)/);
    await succeed('umount /lib/modules');
    assert.equal((await status()).mode, 'on');
  });

  test('modules gate refuses a changed file, and why explains it', patient, async () => {
    const file = (await succeed('modinfo -n dummy')).trim();
    assert.match(await succeed('bulkhead modules gate why dummy'), /may load/);
    const json = await succeed('bulkhead modules gate why dummy --json');
    assert.equal(jsonOf<ModulesGateWhyJson>('modules gate why', json).modules[0]?.mayLoad, true);
    await succeed(`cp ${file} /root/dummy.kept && echo >> ${file}`);
    assert.notEqual((await run('modprobe dummy')).status, 0);
    const why = await run('bulkhead modules gate why dummy');
    assert.equal(why.status, 3);
    assert.match(why.stdout, /its file has changed since the list was made/);
    await succeed(`cp /root/dummy.kept ${file} && modprobe dummy && rmmod dummy`);
  });

  test('alerts report a refused module, and a gate that somebody removed', patient, async () => {
    await write('/usr/local/sbin/keep-mail', '#!/bin/sh\ncat >> /root/mail; echo >> /root/mail\n');
    await succeed('chmod 755 /usr/local/sbin/keep-mail; touch /root/mail');
    await policy(
      '<agent interval="10s"><alerts from="b@example.org"><mail to="administrator" limits="protection" address="ops@example.org"/></alerts></agent>',
    );
    // Replaces the sendmail that the agent calls, whatever is installed under that name.
    const agent =
      '[ -e /usr/sbin/sendmail ] || touch /usr/sbin/sendmail; mount --bind /usr/local/sbin/keep-mail "$(realpath /usr/sbin/sendmail)"; echo $$ > /run/agent-test.pid; exec bulkhead agent';
    await succeed(
      `setsid nohup unshare --mount sh -c '${agent}' > /root/agent.log 2>&1 < /dev/null &`,
    );
    const shown = 'cat /root/agent.log /root/mail';
    const wait = (what: string) => until(`tr '\\n' ' ' < /root/mail | grep -q '${what}'`, shown);
    await until('grep -q Started /root/agent.log', shown);
    assert.equal(await load('file', '/root/dummy.ko'), 'EPERM');
    // If the message about an earlier refusal came first, the next one would be twelve hours later.
    await wait('refused by the gate for kernel modules. The last one: dummy.ko');
    await succeed('rm -r /sys/fs/bpf/bulkhead/modules*');
    assert.equal((await status()).mode, 'off');
    await wait('was set to "on" and is "off" now');
    await succeed(
      'kill $(cat /run/agent-test.pid); while [ -e /proc/$(cat /run/agent-test.pid) ]; do sleep 0.2; done; bulkhead modules gate sync --saved',
    );
    assert.equal((await status()).mode, 'on');
    await policy('');
  });

  test('modules gate sync unlists what the policy denies', patient, async () => {
    await policy('<modules><deny name="dummy" reason="not here"/></modules>');
    const text = await succeed('bulkhead modules gate sync');
    assert.match(text, /refused +dummy: .*not here/);
    assert.match(text, /gone .*dummy/);
    assert.notEqual((await run('modprobe dummy')).status, 0);
    const why = await run('bulkhead modules gate why dummy');
    assert.deepEqual([why.status, /not here/.test(why.stdout)], [3, true]);
    await policy('');
    const made = await succeed('bulkhead modules gate sync --json');
    assert.equal(jsonOf<ModulesGateSyncJson>('modules gate sync', made).length, 1);
    await succeed('modprobe dummy && rmmod dummy');
  });

  test('modules gate sync --saved changes nothing for a broken list', patient, async () => {
    const list = '/var/lib/bulkhead/modules-gate/$(uname -r).json';
    await succeed(`cp ${list} /root/list && truncate -s -10 ${list}`);
    const restored = await run('bulkhead modules gate sync --saved');
    assert.equal(restored.status, 1);
    assert.match(restored.stderr, /Cannot read the list of modules/);
    await succeed(`cp /root/list ${list} && bulkhead modules gate sync --saved`);
    assert.equal((await status()).mode, 'on');
  });

  test("a tenant cannot read the gate's BPF objects and its mode", patient, async () => {
    const as = 'setpriv --reuid 4001 --regid 4001 --clear-groups';
    assert.notEqual((await run(`${as} ls /sys/fs/bpf/bulkhead`)).status, 0);
    assert.notEqual((await run(`${as} cat /var/lib/bulkhead/modules-gate/mode`)).status, 0);
  });

  test('modules gate is on after a boot, and no unit has failed', patient, async () => {
    await gate.guest.reboot();
    const { mode, loadedUnlisted } = await status();
    assert.equal(mode, 'on');
    assert.deepEqual(loadedUnlisted, []);
    assert.equal(await load('file', '/root/dummy.ko'), 'EPERM');
    await succeed('modprobe dummy && rmmod dummy');
    assert.equal(await succeed('systemctl --failed --no-legend'), '');
  });

  test(
    'modules gate sync runs for an installed kernel, and a kernel without a list is watched',
    patient,
    async () => {
      assert.match(await succeed('cat /etc/kernel/postinst.d/zz-bulkhead-modules'), /gate sync/);
      await succeed('sh /etc/kernel/postinst.d/zz-bulkhead-modules $(uname -r)');
      await succeed('rm /var/lib/bulkhead/modules-gate/$(uname -r).json');
      const restored = await run(
        'bulkhead modules gate disable >/dev/null; mkdir -p /var/lib/bulkhead/modules-gate; echo on > /var/lib/bulkhead/modules-gate/mode; bulkhead modules gate sync --saved',
      );
      assert.equal(restored.status, 1);
      assert.equal((await status()).mode, 'watch');
    },
  );

  test('modules gate disable leaves only the lists', patient, async () => {
    jsonOf('modules gate disable', await succeed('bulkhead modules gate disable --json'));
    assert.equal((await status()).mode, 'off');
    assert.equal(await load('file', '/root/dummy.ko'), 'loaded');
    await succeed('rmmod dummy');
    const left =
      'ls -d /sys/fs/bpf/bulkhead /etc/systemd/system/bulkhead-modules-gate.service /etc/systemd/system/sysinit.target.wants/bulkhead-modules-gate.service /etc/kernel/postinst.d/zz-bulkhead-modules 2>/dev/null || true';
    assert.equal(await succeed(left), '');
  });

  test('modules gate signatures requires signatures until the next boot', patient, async () => {
    assert.equal((await run('bulkhead modules gate signatures')).status, 2);
    const required = await succeed('bulkhead modules gate signatures --yes --json');
    assert.equal(
      jsonOf<ModulesGateSignaturesJson>('modules gate signatures', required).changed,
      true,
    );
    assert.match((await run('insmod /root/dummy.ko')).stderr, /rejected|not permitted/i);
    assert.match(await succeed('bulkhead modules gate status'), /Signatures: required/);
  });
});
