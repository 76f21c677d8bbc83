/**
 * `bulkhead setup` on a host with nginx, PHP-FPM and systemd: the plan, each level, an interruption, the guards after seven
 * days, and the way back to a server that is as before, file by file.
 */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import type { SetupJson, SetupStatusJson } from '../../../src/setup/commands/json.ts';
import { longPatienceMilliseconds } from '../../../testing/patience.ts';
import { withPatientFpm } from '../../../testing/vm/installed.ts';
import { guestOfSuite, prepareGuests } from '../../../testing/vm/suite.ts';
import { askSite, makeSites } from './two-sites.ts';

const guests = await prepareGuests(import.meta.filename, 'pam');
const timeout = longPatienceMilliseconds;

/** A line for each file below /etc: its name, kind, mode, owner, and a digest of its content. */
const treeOf = String.raw`cd / && find etc -xdev \( -type f -o -type l -o -type d \) -printf '%p %y %m %U:%G %l ' \
  -a \( -type f -exec sh -c 'sha256sum < "$1"' _ {} \; -o -printf '\n' \) | sort`;

/** The front answers only hosts that it knows; localhost is one. */
const askConsole = String.raw`perl -MIO::Socket::UNIX -e 'my $s = IO::Socket::UNIX->new("/run/bulkhead/console.sock") or die; print $s "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"; local $/; print <$s>'`;

suite('bulkhead setup', { skip: guests.skip }, () => {
  const host = guestOfSuite(guests, async (guest) => {
    await withPatientFpm(guest);
    await guest.succeed(makeSites);
    // The packages make the console's account so.
    await guest.succeed('systemd-sysusers /opt/bulkhead/packaging/bulkhead-console.conf');
  });
  const { run, succeed, write } = host;
  const sitesAnswer = async (cgroup: RegExp) => {
    for (const name of ['ann', 'ben']) assert.match(await succeed(askSite(name)), cgroup, name);
  };
  const setup = async (...words: readonly string[]): Promise<SetupJson> => {
    const { status, stdout, stderr } = await run(`bulkhead setup --json ${words.join(' ')}`);
    assert.equal(status, 0, stderr + stdout);
    return JSON.parse(stdout) as SetupJson;
  };
  const ladder = async (status = 0): Promise<SetupStatusJson> => {
    const said = await run('bulkhead setup status --json');
    assert.equal(said.status, status, said.stderr);
    return JSON.parse(said.stdout) as SetupStatusJson;
  };
  const stateOf = ({ layers }: Pick<SetupJson, 'layers'>, key: string) =>
    layers.find((each) => each.key === key)?.state;
  const stepStates = ({ steps }: SetupJson) => steps.map(({ key, state }) => `${key} ${state}`);
  let before = '';

  test('a dry run shows the plan and changes nothing', { timeout }, async () => {
    before = await succeed(treeOf);
    const found = await setup('--dry-run', '--level', 'isolate');
    const [nginx] = found.host.webServers;
    assert.deepEqual(nginx, {
      name: 'nginx',
      program: '/usr/sbin/nginx',
      isServed: true,
      isRead: true,
    });
    assert.deepEqual(found.host.panels, []);
    assert.ok(found.steps.length > 10 && found.steps.every(({ state }) => state !== 'done'));
    const first = found.steps.find(({ key }) => key === 'php-first');
    assert.deepEqual(
      [first?.state, first?.changes],
      ['to do', 'moves the pools of ann to units; reloads PHP-FPM'],
    );
    assert.equal(stateOf(found, 'policy'), 'open');
    assert.equal(await succeed(treeOf), before);
    assert.equal((await run('test -e /var/lib/bulkhead')).status, 1);
  });

  test('wrong answers are refused, and nothing is changed', { timeout }, async () => {
    await write('/tmp/answers.json', '{"version":1,"jails":"some","level":"all","tenant":"1-2"}');
    const said = await run('bulkhead setup --answers /tmp/answers.json');
    assert.equal(said.status, 2);
    for (const text of ['"jails" must be one of', '"level" must be one of', '"tenant" is unknown'])
      assert.ok(said.stderr.includes(text), said.stderr);
    assert.equal(await succeed(treeOf), before);
  });

  test('observe measures, compares with limits, and enforces none', { timeout }, async () => {
    const done = await setup('--yes', '--level', 'observe');
    const [policy, alerts, units, alert, ...more] = stepStates(done);
    assert.deepEqual([policy, alerts, units], ['policy done', 'alerts done', 'units done']);
    assert.deepEqual(
      [alert?.split(' ')[0], more],
      ['alerts-test', ['console done', 'limits-observed done']],
    );
    assert.match(await succeed(askConsole), /^HTTP\/1\.1 200 /);
    // The guest has no mail program.
    const { result = null } = done.steps.find(({ key }) => key === 'alerts-test') ?? {};
    assert.match(result ?? '', /not handed over|sent to/);
    assert.deepEqual(
      ['policy', 'agent', 'limit cpu'].map((each) => stateOf(done, each)),
      ['enforced', 'enforced', 'watched'],
    );
    assert.match(await succeed('bulkhead status'), /^Limits are only observed for/m);
    assert.doesNotMatch(await succeed('cat /etc/systemd/system/user-3*.slice.d/*'), /CPUQuota=\d/);
    await sitesAnswer(/^HTTP\/1\.1 200/);
  });

  test('a run that is killed continues where it was', { timeout }, async () => {
    await run('timeout -s KILL 4 bulkhead setup --yes --level limit');
    const done = await setup('--yes', '--level', 'limit');
    assert.deepEqual(done.problems, []);
    for (const key of ['limit cpu', 'limit memory', 'limit processes', 'entry su', 'entry cron'])
      assert.equal(stateOf(done, key), 'enforced', key);
    assert.equal(stateOf(done, 'entry PHP-FPM'), 'enforced');
    assert.equal(stateOf(done, 'limit entries'), 'enforced', JSON.stringify(done.layers));
    const proved = done.steps.find(({ key }) => key === 'prove')?.result ?? '';
    assert.match(proved, /^[1-9]\d* of \d+ attacks blocked,/);
    await sitesAnswer(/^HTTP\/1\.1 200[\s\S]*\r\n300\d 0::\/.*user-300\d\.slice/);
  });

  test('isolate puts tenants into jails, and guards only report', { timeout }, async () => {
    await write('/tmp/answers.json', '{"version":1,"jails":"all","level":"isolate"}');
    const done = await setup(
      '--answers',
      '/tmp/answers.json',
      '--write-answers /root/answers.json',
    );
    assert.deepEqual(done.problems, []);
    assert.equal(stateOf(done, 'jails'), 'enforced', JSON.stringify(done.layers));
    for (const key of ['symlinks guard', 'strict placement', 'modules gate', 'network reach'])
      assert.equal(stateOf(done, key), 'watched', key);
    await sitesAnswer(/^HTTP\/1\.1 200/);
    assert.equal((await succeed('su ann -c "ls /home"')).trim(), 'ann');
    assert.match(await succeed('cat /root/answers.json'), /"jails": "all"/);
    const doctor = JSON.parse(await succeed('bulkhead doctor --json')) as Pick<SetupJson, 'layers'>;
    const { layers } = await ladder();
    const states = (list: SetupJson['layers']) => list.map(({ key, state }) => [key, state]);
    assert.deepEqual(states(doctor.layers), states(layers));
  });

  test('guards refuse after seven quiet days, not before', { timeout }, async () => {
    assert.match(await succeed('bulkhead setup next'), /symlinks guard: still watches/);
    await succeed(
      `perl -i -pe 's/("since": ")\\d{4}/\${1}2020/' /var/lib/bulkhead/setup.json && bulkhead setup next`,
    );
    const found = await ladder();
    for (const key of ['symlinks guard', 'strict placement', 'modules gate', 'network reach'])
      assert.equal(stateOf(found, key), 'enforced', key);
    await sitesAnswer(/^HTTP\/1\.1 200/);
  });

  test(
    'status tells what has slipped back, and the next run brings it back',
    { timeout },
    async () => {
      await succeed('bulkhead web entries disable');
      const { slippedBack } = await ladder(3);
      assert.deepEqual(slippedBack, ['limit entries']);
      const again = await setup('--yes');
      assert.equal(stateOf(again, 'limit entries'), 'enforced');
      assert.deepEqual((await ladder()).slippedBack, []);
    },
  );

  test('undo leaves the server as it was, file by file', { timeout }, async () => {
    const said = await run('bulkhead setup undo --yes');
    assert.equal(said.status, 0, said.stdout + said.stderr);
    assert.equal(await succeed(treeOf), before);
    assert.equal((await run('test -e /var/lib/bulkhead -o -e /run/bulkhead')).status, 1);
    await sitesAnswer(/^HTTP\/1\.1 200/);
    assert.match(await succeed('bulkhead setup undo --yes'), /has done nothing/);
  });
});
