/** `bulkhead exec --entry` on the real kernel: which processes take a slot, and when it is free again. */
import '../../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { execFileSync, spawn, type StdioOptions } from 'node:child_process';
import { once } from 'node:events';
import * as fs from 'node:fs';
import { describe, test } from 'node:test';
import { eventually } from '../../../testing/patience.ts';
import { formatEntrySlots } from '../../../src/host/entry-slots.ts';
import { HangingProcess, skip as noAttack } from '../../attacks/hanging-process.ts';
import {
  assertRefused,
  instance,
  launch,
  type LaunchOptions,
  makeTenant,
  removeTenant,
  skipWithoutAccount,
  uidWithoutAccount,
} from '../exec-stage.ts';
import { launcher } from '../../../testing/launcher.ts';
import {
  account,
  assertFree,
  assertFull,
  end,
  entries,
  limitEntries,
  options,
  running,
  slots,
  started,
  stateOf,
  useEntries,
} from './stage.ts';

describe('bulkhead exec --entry', { skip: skipWithoutAccount }, () => {
  useEntries();

  test('runs as many at once as the limit allows, and exits with 75 for the next', async () => {
    await started();
    assertFree();
    await started();
    assertFull();
    assert.equal(launch(account, ['true']).status, 0);
    limitEntries(3);
    assertFree();
  });

  test('frees a slot however its process ends', async () => {
    for (const signal of ['SIGKILL', 'SIGTERM', 'SIGSEGV'] as const) {
      await started();
      const child = await started();
      assertFull();
      await end(child, signal);
      assertFree();
      for (const each of running.splice(0)) await end(each);
    }
    for (const command of ['false', 'no-such-command', '/etc/passwd'])
      for (let times = 0; times < 3; times++) launch(account, [command], options);
    assertFree();
  });

  test('leaves nothing of a longer record that was in the slot before', async () => {
    limitEntries(1);
    fs.writeFileSync(`${slots()}/1`, '4194303 18446744073709551615 hangs\n');
    await started();
    assert.match(fs.readFileSync(`${slots()}/1`, 'utf8'), /^\d+ \d+\n$/);
    assertFull();
  });

  test('counts running processes above a limit that was lowered', async () => {
    limitEntries(4);
    const [first] = [await started(), await started(), await started(), await started()];
    limitEntries(2);
    await end(first);
    assertFull();
    await end(running[1]!);
    assertFull();
    await end(running[3]!);
    assertFree();
  });

  test('keeps a slot through exec and under any process name', async (t) => {
    if (!fs.existsSync('/usr/bin/perl')) return t.skip('perl is not installed');
    limitEntries(1);
    for (const name of [') Z 0', '\\n1 (x) Z 1', 'x) 1 1 1 1', '']) {
      // $0 sets the name of the process, too.
      await started(`exec perl -e '$| = 1; $0 = "${name}"; print "entered"; sleep 3600'`);
      assertFull();
      for (const each of running.splice(0)) await end(each);
      assertFree();
    }
  });

  test('keeps the slot of a process whose first thread has ended', async (t) => {
    if (!fs.existsSync('/usr/bin/gcc')) return t.skip('there is no C compiler');
    limitEntries(1);
    const source = new URL('../../attacks/leader-exits.c', import.meta.url).pathname;
    const program = `/run/${instance}/leader-exits`;
    execFileSync('gcc', ['-O2', '-pthread', '-static', '-o', program, source]);
    const child = await started(`exec ${program}`);
    await eventually('its first thread has ended', () => stateOf(child.pid!) === 'Z');
    assertFull();
    await end(child);
    assertFree();
  });

  test('frees the slot of a zombie', async () => {
    limitEntries(1);
    const own = [launcher, '--instance', instance, '--entry', account, '--', 'true'];
    // A shell would wait for it, if it ends before the shell has become something else.
    const script = '$| = 1; my $pid = fork // die; exec @ARGV if !$pid; print $pid; sleep 3600';
    const parent = spawn('perl', ['-e', script, '--', ...own], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    running.push(parent);
    const [pid] = (await once(parent.stdout, 'data')) as [Buffer];
    await eventually('it has ended', () => stateOf(Number(pid.toString())) === 'Z');
    assertFree();
  });

  test('leaves neither the lock nor a slot open for the tenant', async () => {
    const script = 'ls -l /proc/$$/fd; echo entered; exec sleep 3600';
    const { printed } = await started(script, ['--keep-fds']);
    assert.match(printed, / -> /);
    assert.doesNotMatch(printed, /entries/);
    assert.notEqual(launch(account, ['ls', slots()]).status, 0);
  });

  test('keeps descriptor 9 of the caller with --keep-fds', () => {
    const stdio: StdioOptions = Array.from({ length: 10 }, () => 'pipe');
    const given = { ...options, options: ['--entry', '--keep-fds'], stdio };
    const { stdout } = launch(account, ['sh', '-c', 'readlink /proc/$$/fd/9'], given);
    assert.match(stdout, /^socket:/);
  });

  test('frees a slot when another process has the number of the ended one', () => {
    limitEntries(1);
    for (const content of [`${process.pid} 1`, '', 'x y', '-1 1', '0 0', '1', '99999999 5']) {
      fs.writeFileSync(`${slots()}/1`, content === '' ? '' : `${content}\n`);
      assertFree();
    }
  });

  test("counts a site's and a reseller's slots, and frees all when one is refused", async (t) => {
    const site = 'shop.example';
    const place = `u${account}/s-${site}`;
    makeTenant(place);
    t.after(() => removeTenant(place));
    const reseller = 7_000_199;
    limitEntries(1, undefined, `${entries}/${account}-${site}`);
    limitEntries(3, undefined, `${entries}/r${reseller}`);
    limitEntries(2, reseller);
    const inSite = { options: ['--entry', '--site', site] };
    const refusedWith = (given: LaunchOptions, words: RegExp) =>
      assertRefused(launch(account, ['id'], given), words, 75);
    const first = await started(undefined, ['--site', site]);
    refusedWith(inSite, /all 1 entries of its site "shop\.example" are in use/);
    assertFree();
    await started();
    refusedWith(options, /all 2 of its entries are in use/);
    await end(first);
    limitEntries(9, reseller);
    await started();
    await started();
    // A command that the reseller's limit refuses releases the slots of the site and the tenant.
    refusedWith(inSite, /all 3 entries of its reseller are in use/);
    limitEntries(9);
    assert.equal(launch(account, ['true'], inSite).status, 0);
  });

  test(
    'takes one slot of the reseller for a process that blocks its readers',
    { skip: noAttack },
    async () => {
      const reseller = 7_000_199;
      const directory = `${entries}/r${reseller}`;
      limitEntries(2, undefined, directory);
      // Only the reseller's entries are limited.
      fs.mkdirSync(slots(), { recursive: true });
      fs.writeFileSync(`${slots()}/limit`, formatEntrySlots({ limit: undefined, reseller }));
      using hostile = await HangingProcess.start(uidWithoutAccount + 1);
      fs.writeFileSync(`${directory}/1`, `${hostile.hanging} 1\n`);
      // The second time it is known.
      for (let round = 0; round < 2; round++)
        assert.equal(launch(account, ['true'], options).status, 0);
      limitEntries(1, undefined, directory);
      assertRefused(launch(account, ['id'], options), /entries of its reseller are in use/, 75);
    },
  );

  test('needs no slot when the tenant has no entry limit', () => {
    fs.rmSync(slots(), { recursive: true });
    assertFree();
    assert.ok(!fs.existsSync(slots()));
  });
});
