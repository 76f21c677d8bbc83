/**
 * The Ansible role, run by the real Ansible over ssh on a guest with systemd: a dry run, the setup, a second run that
 * changes nothing, mistakes, a policy instead of answers, and the way back.
 */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { after, before, suite, test } from 'node:test';
import type { SetupStatusJson } from '../../../src/setup/commands/json.ts';
import { installFromPool } from '../../../testing/package-pool.ts';
import { longPatienceMilliseconds } from '../../../testing/patience.ts';
import { ensurePrerequisites } from '../../../testing/prerequisites.ts';
import { logToStderr } from '../../../testing/progress.ts';
import { suiteDirectory } from '../../../testing/temporary-directory.ts';
import { startGuest, type Guest } from '../../../testing/vm/guest.ts';
import { prepareGuests } from '../../../testing/vm/suite.ts';
import { build } from '../../package/packages.ts';
import { guestHost, playBook, type Played } from './ansible/play.ts';

const guests = await prepareGuests(import.meta.filename, 'ansible');
const builds = await ensurePrerequisites('package', logToStderr);
const skip = guests.skip || (builds.ok ? false : builds.reason);
const timeout = longPatienceMilliseconds;
const directory = suiteDirectory('ansible');

suite('the Ansible role', { skip, timeout }, () => {
  let guest: Guest;
  let deb = '';

  before(async () => {
    [deb = ''] = await build(directory, '--arch', process.arch, '--format', 'deb');
    guest = await startGuest(guests.image);
    const installed = await installFromPool(guest, ['python3', 'python3-apt', 'libatomic1']);
    assert.ok(installed.ok, JSON.stringify(installed));
    await guest.succeed('rm -f /usr/bin/bulkhead; useradd -m -u 3001 ann; useradd -m -u 3002 ben', {
      timeoutMs: timeout,
    });
  });
  after(() => guest?.[Symbol.asyncDispose]());

  const exists = async (path: string) => (await guest.run(`test -e ${path}`)).status === 0;
  const succeed = (command: string) => guest.succeed(command, { timeoutMs: timeout });
  const ladder = async () =>
    JSON.parse(await succeed('bulkhead setup status --json')) as SetupStatusJson;

  /** Runs the role on the guest, by the connection that the harness has. */
  async function play(variables: object, ...options: readonly string[]): Promise<Played> {
    const book = `${directory}/site.yml`;
    const vars = { bulkhead_package_file: deb, ...variables };
    const gathered = { hosts: 'guest', gather_facts: true, roles: [{ role: 'bulkhead', vars }] };
    writeFileSync(book, JSON.stringify([gathered]));
    const inventory = `${directory}/hosts`;
    writeFileSync(inventory, `guest ${guestHost}\n`);
    return playBook({ guest, directory, inventory, book }, ...options);
  }

  async function plays(variables: object, ...options: readonly string[]): Promise<number> {
    const { status, output, changed } = await play(variables, ...options);
    assert.equal(status, 0, output);
    return changed;
  }

  test('a dry run on a fresh host changes nothing', async () => {
    assert.ok((await plays({}, '--check')) > 0);
    for (const path of ['/usr/bin/bulkhead', '/etc/bulkhead', '/var/cache/bulkhead*.deb'])
      assert.ok(!(await exists(path)), path);
  });

  test('installs the package and sets up', async () => {
    assert.ok((await plays({ bulkhead_level: 'observe' })) > 0);
    const { level, slippedBack } = await ladder();
    assert.deepEqual([level, slippedBack], ['observe', []]);
    await succeed('systemctl is-active bulkhead');
  });

  test('changes nothing when it is run again', async () => {
    assert.equal(await plays({ bulkhead_level: 'observe', bulkhead_raise_quiet_guards: true }), 0);
  });

  test('a dry run shows what a higher level would do', async () => {
    const before = await succeed('cat /var/lib/bulkhead/setup.json /etc/bulkhead/policy.xml');
    const { status, output } = await play({ bulkhead_level: 'limit' }, '--check');
    assert.equal(status, 0, output);
    assert.match(output, /limit CPU/i);
    const now = await succeed('cat /var/lib/bulkhead/setup.json /etc/bulkhead/policy.xml');
    assert.equal(now, before);
  });

  test('fails with the reason if an answer is wrong', async () => {
    const { status, output } = await play({ bulkhead_answers: { jails: 'some' } });
    assert.notEqual(status, 0);
    assert.match(output, /\\"jails\\" must be one of none, new, all/);
    assert.equal((await ladder()).level, 'observe');
  });

  test('gives the host back', async () => {
    assert.ok((await plays({ bulkhead_state: 'undone' }, '--check')) > 0);
    assert.ok(await exists('/etc/bulkhead/policy.xml'));
    assert.ok((await plays({ bulkhead_state: 'undone' })) > 0);
    assert.ok(!(await exists('/etc/bulkhead/policy.xml')));
    assert.equal(await plays({ bulkhead_state: 'undone' }), 0);
  });

  test('applies a policy instead of answers, and refuses one with a mistake', async () => {
    const policy = `${directory}/policy.xml`;
    const write = (processes: string) =>
      writeFileSync(
        policy,
        `<bulkhead version="1">\n  <defaults><processes limit="${processes}"/></defaults>\n  <tenant uid="3001"/>\n</bulkhead>\n`,
      );
    write('100');
    assert.ok((await plays({ bulkhead_policy_file: policy })) > 0);
    await succeed('bulkhead verify && systemctl is-active bulkhead');
    assert.equal(await plays({ bulkhead_policy_file: policy }), 0);
    write('many');
    const { status, output } = await play({ bulkhead_policy_file: policy });
    assert.notEqual(status, 0);
    assert.match(output, /many/);
    assert.match(await succeed('cat /etc/bulkhead/policy.xml'), /limit="100"/);
  });
});
