/** `bulkhead prove` on cgroup v2 and systemd, as it is installed, with jails and strict placement: what the policy demands holds. */
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { guestOfSuite, prepareGuests } from '../../../testing/vm/suite.ts';
import type { Proof } from '../../../src/prove/io/prove.ts';

const guests = await prepareGuests(import.meta.filename);

type Report = Proof & { readonly broken: readonly string[] };

suite('bulkhead prove on cgroup v2', { skip: guests.skip }, () => {
  let report: Report;
  const verdictOf = (name: string) =>
    report.entries.find(({ attack }) => attack === name)?.verdict ?? 'absent';

  const { run, write } = guestOfSuite(guests, async () => {
    await write(
      '/etc/bulkhead/policy.xml',
      `<bulkhead version="1">
  <defaults><cpu limit="50%"/><memory limit="512MiB"/><processes limit="100"/><jail profile="web"/>
    <network send="1GiB/s" connections="1000/s"/><reach><refuse address="192.0.2.0/24"/></reach><listen public="no"/></defaults>
  <tenant uid="3001"><listen ports="64998" public="no"/></tenant>
  <placement strict="yes"/>
</bulkhead>\n`,
    );
    const { status, stdout, stderr } = await run('bulkhead prove --json');
    process.stderr.write(`status ${status}\n${stdout}${stderr}\n`);
    report = JSON.parse(stdout) as Report;
    assert.equal(status, 0, `broken: ${report.broken.join(', ')}`);
  });

  test('blocks everything that the policy demands', () => assert.deepEqual(report.broken, []));

  test('blocks attacks on limits and cgroups', () => {
    assert.equal(report.host.cgroups, 'v2');
    for (const name of ['memory-hog', 'fork-storm', 'oom-score', 'cgroup-move', 'cgroup-limits'])
      assert.equal(verdictOf(name), 'blocked', name);
  });

  test('blocks what the kernel isolates by default', () => {
    const names = ['home', 'environment', 'ptrace', 'kill', 'device-node', 'mount', 'module'];
    for (const name of names) assert.equal(verdictOf(name), 'blocked', name);
  });

  test('blocks attacks on strict placement and on the jail', () => {
    const names = [
      'placement',
      'outside-jail',
      'abstract-socket',
      'processes',
      'setuid',
      'clone3',
      'fuse',
    ];
    for (const name of names) assert.equal(verdictOf(name), 'blocked', name);
  });

  test('blocks attacks on the network, also out of a jail', () => {
    const names = ['direct-mail', 'metadata-service', 'refused-address', 'neighbour-port'];
    for (const name of [...names, 'kept-port', 'public-port', 'connection-storm', 'upload-flood'])
      assert.equal(verdictOf(name), 'blocked', name);
  });

  test('leaves nothing behind', async () => {
    const find =
      'ls -d /sys/fs/cgroup/*bulkhead-prove* /run/bulkhead-prove* /home/.bulkhead-prove /sys/fs/bpf/bulkhead-prove';
    const { stdout } = await run(
      `${find} 2>/dev/null; pgrep -U 65600-65603; ip -o link | grep bhprove`,
    );
    assert.equal(stdout.trim(), '');
  });
});
