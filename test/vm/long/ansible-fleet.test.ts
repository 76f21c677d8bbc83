/**
 * The role's tasks for a fleet, and the playbook of the examples: a release goes to a guest in batches, is accepted there,
 * and stops the play if the guest refuses it or goes back.
 *
 * All names of the inventory lead to one guest, which is `web-001` of the fleet: later batches find the release there.
 */
import assert from 'node:assert/strict';
import { copyFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import type { FleetStatusJson } from '../../../src/fleet/commands/host/json.ts';
import { jsonOf } from '../../../testing/json-output.ts';
import { installFromPool } from '../../../testing/package-pool.ts';
import { longPatienceMilliseconds } from '../../../testing/patience.ts';
import { ensurePrerequisites } from '../../../testing/prerequisites.ts';
import { logToStderr } from '../../../testing/progress.ts';
import { startGuest, type Guest } from '../../../testing/vm/guest.ts';
import { prepareGuests } from '../../../testing/vm/suite.ts';
import { makeDesk } from '../../fleet/desk.ts';
import { build } from '../../package/packages.ts';
import { guestHost, playBook, type Played } from './ansible/play.ts';

const guests = await prepareGuests(import.meta.filename, 'ansible');
const builds = await ensurePrerequisites('package', logToStderr);
const skip = guests.skip || (builds.ok ? false : builds.reason);
const timeout = longPatienceMilliseconds;
const names = ['web-001', 'web-002', 'web-003'];

suite("the Ansible role's tasks for a fleet", { skip, timeout }, () => {
  const desk = makeDesk('ansible-fleet', ['alice']);
  const directory = desk.home;
  let guest: Guest;
  let deb = '';

  before(async () => {
    [deb = ''] = await build(directory, '--arch', process.arch, '--format', 'deb');
    copyFileSync(
      new URL('../../../examples/ansible/fleet.yml', import.meta.url),
      join(directory, 'fleet.yml'),
    );
    const lines = names.map((name) => `${name} ${guestHost} bulkhead_fleet_host=web-001`);
    writeFileSync(join(directory, 'inventory'), `${lines.join('\n')}\n`);
    desk.done(
      'init',
      desk.at,
      '--name',
      'example',
      '--person',
      `alice@example.org=${desk.key('alice')}.pub`,
    );
    publish('<processes limit="40"/>');
    guest = await startGuest(guests.image);
    const installed = await installFromPool(guest, [
      'python3',
      'python3-apt',
      'libatomic1',
      'sudo',
    ]);
    assert.ok(installed.ok, JSON.stringify(installed));
    await guest.succeed('rm -f /usr/bin/bulkhead; useradd -m -u 3001 ann; useradd -M -u 3002 ben', {
      timeoutMs: timeout,
    });
  });
  after(() => guest?.[Symbol.asyncDispose]());

  const succeed = (command: string) => guest.succeed(command, { timeoutMs: timeout });
  /** The limit of ann's slice, which is there only while she has processes. */
  const processesMax = async () =>
    (
      await succeed('bulkhead exec ann -- cat /sys/fs/cgroup/user.slice/user-3001.slice/pids.max')
    ).trim();
  const status = async () =>
    jsonOf<FleetStatusJson>('fleet status', await succeed('bulkhead fleet status --json'));

  /** Signs and publishes the next release, of which each host has this in its defaults. */
  function publish(defaults: string, watch = '20s'): void {
    writeFileSync(
      join(desk.at, 'fleet.xml'),
      `<bulkhead version="1">
  <hosts fleet="example" hosts="web-001"><waves watch="${watch}"><wave hosts="100%"/></waves></hosts>
  <defaults>${defaults}</defaults>
  <tenant user="ann"/><tenant user="ben"/>
</bulkhead>
`,
    );
    desk.done('sign', '-C', desk.at, '--key', desk.key('alice'));
    desk.done('publish', '-C', desk.at, desk.out);
  }

  /** Runs the playbook of the examples as the documentation says. */
  const play = (...options: readonly string[]): Promise<Played> =>
    playBook(
      { guest, directory, inventory: 'inventory', book: 'fleet.yml' },
      '--extra-vars',
      JSON.stringify({ bulkhead_package_file: deb, bulkhead_fleet_wait: '30min' }),
      ...options,
    );
  /** Returns the counts that Ansible shows at its end, by host. */
  const recapOf = ({ output }: Played, field: 'ok' | 'changed' | 'failed') =>
    Object.fromEntries(
      [...output.matchAll(new RegExp(`^(web-\\d+) +: .*\\b${field}=(\\d+)`, 'gm'))].map(
        ([, name, count]) => [name, Number(count)],
      ),
    );
  const batchesOf = ({ output }: Played) => output.match(/^PLAY \[Bring the release/gm)?.length;

  test('a dry run on a fresh host changes nothing', async () => {
    const { status: ended, output } = await play('--check', '--limit', 'web-001');
    assert.equal(ended, 0, output);
    for (const path of ['/usr/bin/bulkhead', '/etc/bulkhead'])
      assert.notEqual((await guest.run(`test -e ${path}`)).status, 0, path);
  });

  test('installs, joins, and waits until the release is healthy: one host, a tenth, the rest', async () => {
    const played = await play();
    assert.equal(played.status, 0, played.output);
    // A tenth of three is one host, and what is left is the last batch.
    assert.equal(batchesOf(played), 3);
    assert.deepEqual(Object.keys(recapOf(played, 'ok')), names);
    const { state, fleet, host, release, accept } = await status();
    assert.deepEqual(
      [state, fleet, host, release?.generation],
      ['healthy', 'example', 'web-001', 1],
    );
    assert.deepEqual(accept, ['limits', 'packages', 'tenants', 'sites', 'jail']);
    assert.equal(await processesMax(), '40');
    await succeed('systemctl is-active bulkhead');
    // The others found it there.
    assert.deepEqual(recapOf(played, 'changed')['web-003'], 0);
  });

  test('changes nothing when it is run again', async () => {
    const played = await play();
    assert.equal(played.status, 0, played.output);
    assert.deepEqual(Object.values(recapOf(played, 'changed')), [0, 0, 0]);
  });

  test('a dry run hands no new release over', async () => {
    publish('<processes limit="50"/>');
    const played = await play('--check');
    assert.equal(played.status, 0, played.output);
    assert.equal((await status()).newestGeneration, 1);
    assert.equal(await processesMax(), '40');
  });

  test('brings the next release', async () => {
    const played = await play();
    assert.equal(played.status, 0, played.output);
    assert.ok((recapOf(played, 'changed')['web-001'] ?? 0) > 0);
    const { state, release } = await status();
    assert.deepEqual([state, release?.generation], ['healthy', 2]);
    assert.equal(await processesMax(), '50');
    await succeed('bulkhead fleet keep');
  });

  test('stops at the first host that goes back', async () => {
    publish('<processes limit="60"/>', '30min');
    const playing = play();
    await guest.until('bulkhead fleet status | grep -q watching', 'bulkhead fleet status');
    await succeed('systemctl kill --signal=KILL bulkhead');
    const played = await playing;
    assert.notEqual(played.status, 0);
    assert.equal(batchesOf(played), 1);
    assert.deepEqual(recapOf(played, 'failed'), { 'web-001': 1 });
    assert.match(played.output, /agent ended during the watch/);
    const { state, release } = await status();
    assert.deepEqual([state, release?.generation], ['rolled back', 2]);
    assert.equal(await processesMax(), '50');
  });

  test('stops at the first host that refuses the release, and says why', async () => {
    publish('<processes limit="60"/><reach others="refuse"/>');
    const played = await play();
    assert.notEqual(played.status, 0);
    assert.equal(batchesOf(played), 1);
    assert.deepEqual(recapOf(played, 'failed'), { 'web-001': 1 });
    assert.match(played.output, /network/);
    assert.equal((await status()).release?.generation, 2);
    assert.equal(await processesMax(), '50');
  });

  test('goes on where it stopped once the release is good', async () => {
    publish('<processes limit="70"/>');
    const played = await play();
    assert.equal(played.status, 0, played.output);
    assert.equal(batchesOf(played), 3);
    assert.equal((await status()).state, 'healthy');
    assert.equal(await processesMax(), '70');
  });
});
