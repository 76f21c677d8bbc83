/**
 * Linux 5.10 below Debian 13's programs: older than all BPF programs of Bulkhead, and than what a jail needs. `setup`
 * chooses what exists there and names the rest; limits, logins, PHP-FPM, entries and the demo work.
 */
import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import type { SetupJson } from '../../../src/setup/commands/json.ts';
import { oldKernel, prepareOtherKernel } from '../../../testing/oracle/other-kernels.ts';
import { longPatienceMilliseconds } from '../../../testing/patience.ts';
import { logToStderr } from '../../../testing/progress.ts';
import { withPatientFpm } from '../../../testing/vm/installed.ts';
import { guestOfSuite, prepareGuests } from '../../../testing/vm/suite.ts';
import { askSite, makeSites } from './two-sites.ts';

const kernel = await prepareOtherKernel(oldKernel, logToStderr);
const guests = await prepareGuests(import.meta.filename, 'pam');
const skip = kernel.ok ? guests.skip : kernel.error.reason;
const timeout = longPatienceMilliseconds;
const variable = 'BULKHEAD_GUEST_KERNEL';

suite(`the kernel of ${oldKernel.name}`, { skip }, () => {
  const given = process.env[variable];
  before(() => void (process.env[variable] = oldKernel.suites[0]));
  after(() => {
    if (given === undefined) delete process.env[variable];
    else process.env[variable] = given;
  });
  const { run, succeed, write, until } = guestOfSuite(guests, async (guest) => {
    await withPatientFpm(guest);
    await guest.succeed(makeSites);
  });
  const stateOf = ({ layers }: Pick<SetupJson, 'layers'>, key: string) =>
    layers.find((each) => each.key === key)?.state;

  test('setup refuses jails for all, and changes nothing', { timeout }, async () => {
    assert.match(await succeed('uname -r'), /^5\.10\./);
    await write('/tmp/answers.json', '{"version":1,"jails":"all","level":"isolate"}');
    const said = await run('bulkhead setup --answers /tmp/answers.json');
    assert.equal(said.status, 2, said.stdout);
    assert.match(said.stderr, /"jails" is "all", and this host can build none: needs Linux 5\.12/);
    assert.equal((await run('test -e /etc/bulkhead')).status, 1);
  });

  test('setup enforces what exists there, and names what does not', { timeout }, async () => {
    const said = await run('bulkhead setup --yes --json --level isolate');
    assert.equal(said.status, 0, said.stderr);
    const done = JSON.parse(said.stdout) as SetupJson;
    assert.deepEqual(done.problems, []);
    const enforced =
      'policy,agent,limit cpu,limit memory,limit io,limit processes,limit entries,entry ssh,entry su,entry cron,entry at,entry PHP-FPM';
    for (const key of enforced.split(','))
      assert.equal(stateOf(done, key), 'enforced', JSON.stringify(done.layers));
    for (const key of ['jails', 'symlinks guard', 'strict placement', 'modules gate'])
      assert.equal(stateOf(done, key), 'unavailable', JSON.stringify(done.layers));
    const proved = done.steps.find(({ key }) => key === 'prove')?.result ?? '';
    assert.match(proved, /^[1-9]\d* of \d+ attacks blocked,/);
  });

  test(
    'PHP, logins, and processes that only the agent sees, are in the slice of their tenant',
    { timeout },
    async () => {
      for (const name of ['ann', 'ben'])
        assert.match(
          await succeed(askSite(name)),
          /^HTTP\/1\.1 200[\s\S]*\r\n300\d 0::\/.*user-300\d\.slice/,
        );
      assert.match(await succeed('su ann -c "cat /proc/self/cgroup"'), /user-3001\.slice/);
      await succeed('(setsid runuser -u ben -- sleep 3000 < /dev/null > /dev/null 2>&1 &)');
      await until('grep -q user-3002.slice /proc/$(pgrep -u ben -x sleep)/cgroup');
    },
  );

  test('setup undo leaves no policy and no unit', { timeout }, async () => {
    const said = await run('bulkhead setup undo --yes');
    assert.equal(said.status, 0, said.stdout + said.stderr);
    assert.equal((await run('test -e /etc/bulkhead/policy.xml')).status, 1);
    assert.equal((await run('ls /etc/systemd/system/bulkhead*')).status, 2);
  });
});
