/** `bulkhead prove` on cgroup v2 and systemd, as it is installed, with jails and strict placement: what the policy demands holds. */
import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { longPatienceMilliseconds } from '../../../src/testing/patience.ts';
import { startGuest, type Guest } from '../../../src/testing/vm/guest.ts';
import { prepareImage, type Image } from '../../../src/testing/vm/image.ts';
import { installBuilt } from '../../../src/testing/vm/installed.ts';
import type { Proof } from '../../../src/prove/io/prove.ts';

const log = (line: string) => process.stderr.write(`${line}\n`);
const prepared = await prepareImage(log);
if (!prepared.ok) log(`Skipping test/vm/long/prove.test.ts: ${prepared.error}`);
const skip = prepared.ok ? false : prepared.error;

type Report = Proof & { readonly broken: readonly string[] };

suite('bulkhead prove on cgroup v2', { skip }, () => {
  const image = (prepared as { value: Image }).value;
  const long = { timeoutMs: longPatienceMilliseconds };
  let guest: Guest;
  let report: Report;
  const verdictOf = (name: string) =>
    report.entries.find(({ attack }) => attack === name)?.verdict ?? 'absent';

  before(
    async () => {
      guest = await startGuest(image);
      await guest.copyProject();
      await installBuilt(guest);
      await guest.succeed('mkdir -p /etc/bulkhead && cat > /etc/bulkhead/policy.xml', {
        input: `<bulkhead version="1">
  <defaults><cpu limit="50%"/><memory limit="512MiB"/><processes limit="100"/><jail profile="web"/></defaults>
  <tenant uid="3001"/>
  <placement strict="yes"/>
</bulkhead>\n`,
      });
      const { status, stdout, stderr } = await guest.run('bulkhead prove --json', long);
      log(`status ${status}\n${stdout}${stderr}`);
      report = JSON.parse(stdout) as Report;
      assert.equal(status, 0, `broken: ${report.broken.join(', ')}`);
    },
    { timeout: longPatienceMilliseconds },
  );
  after(() => guest[Symbol.asyncDispose]());

  test('what the policy demands holds', () => assert.deepEqual(report.broken, []));

  test('it is cgroup v2, and limits hold in it', () => {
    assert.equal(report.host.cgroups, 'v2');
    for (const name of ['memory-hog', 'fork-storm', 'oom-score', 'cgroup-move', 'cgroup-limits'])
      assert.equal(verdictOf(name), 'held', name);
  });

  test('what the kernel keeps apart by itself is held', () => {
    const names = ['home', 'environment', 'ptrace', 'kill', 'device-node', 'mount', 'module'];
    for (const name of names) assert.equal(verdictOf(name), 'held', name);
  });

  test('jail and strict placement of the policy hold the attacker, too', () => {
    const names = ['placement', 'abstract-socket', 'processes', 'setuid', 'clone3', 'fuse'];
    for (const name of names) assert.equal(verdictOf(name), 'held', name);
  });

  test('nothing is left', async () => {
    const find =
      'ls -d /sys/fs/cgroup/*bulkhead-prove* /run/bulkhead-prove* /home/.bulkhead-prove /sys/fs/bpf/bulkhead-prove';
    const { stdout } = await guest.run(`${find} 2>/dev/null; pgrep -U 65600-65603`, long);
    assert.equal(stdout.trim(), '');
  });
});
