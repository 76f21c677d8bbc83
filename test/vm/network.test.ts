/**
 * The network of tenants on a host with a distribution's kernel: the programs, pacing by fq, and the agent in its own unit,
 * with everything that the unit forbids it.
 */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { after, before, suite, test } from 'node:test';
import { longPatienceMilliseconds } from '../../testing/patience.ts';
import { suiteDirectory } from '../../testing/temporary-directory.ts';
import { passBundled } from '../../testing/vm/bundled.ts';
import { startGuest, type Guest } from '../../testing/vm/guest.ts';
import { buildBesideSources } from '../../testing/vm/installed.ts';
import { prepareGuests } from '../../testing/vm/suite.ts';
import { compile } from '../placer/programs.ts';

const guests = await prepareGuests(import.meta.filename);
const timeout = longPatienceMilliseconds;
const alice = 4_101;
const programs = '/opt/programs';
const sources = ['../network/traffic.c', '../attacks/network-ways.c'];

suite('the network of tenants in the virtual machine', { skip: guests.skip }, () => {
  const directory = suiteDirectory('network-programs');
  let guest: Guest;
  before(
    async () => {
      for (const source of sources) {
        const name = /([^/]+)\.c$/.exec(source)?.[1] ?? '';
        compile(fileURLToPath(new URL(source, import.meta.url)), join(directory, name));
      }
      guest = await startGuest(guests.image, 2);
      await guest.copyProject();
      await buildBesideSources(guest);
      await guest.copyIn(directory, programs);
      await guest.succeed(setUp);
    },
    { timeout },
  );
  after(() => guest[Symbol.asyncDispose]());

  const succeed = (command: string, input?: string) =>
    guest.succeed(command, { timeoutMs: timeout, ...(input === undefined ? {} : { input }) });
  const inside = (file: string) =>
    passBundled(guest, file, { environment: { BULKHEAD_TEST_PROGRAMS: programs } });

  test('packets are counted and wait as they should', { timeout }, async () => {
    await inside('test/network/pacing.test.ts');
    await inside('test/network/counting.test.ts');
    await inside('test/network/sessions.test.ts');
    await inside('test/network/sealed.test.ts');
  });

  test('no way leads to what a tenant must not reach', { timeout }, () =>
    inside('test/attacks/network-reach.test.ts'),
  );

  const policy = (rules: string) =>
    succeed(
      'cat > /etc/bulkhead/policy.new && mv /etc/bulkhead/policy.new /etc/bulkhead/policy.xml && systemctl reload-or-restart bulkhead',
      `<bulkhead version="1"><agent interval="1s"/><tenant user="alice">${rules}</tenant></bulkhead>\n`,
    );
  const as = (words: string) =>
    `setpriv --reuid ${alice} --regid ${alice} --clear-groups ${programs}/traffic ${words}`;
  const toMail = as('connects 198.18.0.2 25 1');

  test(
    'the agent puts rules in force from its unit, and they stay without it',
    { timeout },
    async () => {
      assert.equal(await succeed(toMail), '1 0\n');
      await policy('<network send="1MiB/s"/><reach mail="submission"/>');
      await guest.until(`[ "$(${toMail})" = '0 1' ]`);
      await guest.until('tc qdisc show dev out | grep -q "^qdisc fq "');
      assert.equal(await succeed(as('connects 198.18.0.2 9000 3')), '3 0\n');
      const sent = '3000000';
      const milliseconds = Number(await succeed(as(`put 198.18.0.2 9000 ${sent}`)));
      assert.ok(milliseconds >= (1_000 * (Number(sent) - 100_000)) / 2 ** 20, `${milliseconds} ms`);
      await succeed('systemctl kill --signal SIGKILL bulkhead && systemctl stop bulkhead');
      assert.equal(await succeed(toMail), '0 1\n');
      await succeed('systemctl start bulkhead');
      assert.equal(await succeed(toMail), '0 1\n');
    },
  );

  test('a session of SSH counts for its tenant', { timeout }, async () => {
    await policy('<network send="100MiB/s"/>');
    const sent = async () =>
      Number(
        await succeed(`cd /opt/bulkhead && node --input-type=module -e '
          import { pathsOf } from "./src/host/paths.ts";
          import { NetworkPrograms } from "./src/network/io/programs/network-programs.ts";
          using programs = NetworkPrograms.open(pathsOf());
          if (!programs.findSessions) throw new Error("no sessions");
          process.stdout.write(String(programs.readUse().get(${alice})?.sentBytes ?? 0));'`),
      );
    await guest.until('bulkhead network status');
    const before = await sent();
    const bytes = 2_000_000;
    const options =
      '-o BatchMode=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -i /root/keys/id';
    const ssh = `ip netns exec world ssh ${options} alice@198.18.0.1`;
    assert.equal(await succeed(`${ssh} 'head -c ${bytes} /dev/zero' | wc -c`), `${bytes}\n`);
    const more = (await sent()) - before;
    assert.ok(more > bytes && more < 1.2 * bytes, `${more}`);
  });

  test('the end of the rules and the release leave nothing behind', { timeout }, async () => {
    await policy('');
    await guest.until(`[ "$(${toMail})" = '1 0' ]`);
    await guest.until('tc qdisc show dev out | grep -qv "^qdisc fq "');
    await policy('<reach mail="submission"/>');
    await guest.until(`[ "$(${toMail})" = '0 1' ]`);
    await succeed('systemctl stop bulkhead && bulkhead release --yes');
    assert.equal(await succeed(toMail), '1 0\n');
    assert.equal(await succeed('ls /sys/fs/bpf | grep -c network || true'), '0\n');
  });
});

/** A host behind a wire that leads out, which takes mail. */
const setUp = `set -e
ln -sf /opt/bulkhead/bulkhead /usr/bin/bulkhead
useradd -u ${alice} -m alice
mkdir /root/keys && ssh-keygen -q -t ed25519 -N "" -f /root/keys/id
mkdir -m 700 /home/alice/.ssh && cp /root/keys/id.pub /home/alice/.ssh/authorized_keys && chown -R alice: /home/alice/.ssh
systemctl start ssh
chmod 755 ${programs} ${programs}/*
ip netns add world
ip link add out type veth peer name wire netns world
ip addr add 198.18.0.1/24 dev out; ip link set out up
ip -n world addr add 198.18.0.2/24 dev wire; ip -n world link set wire up; ip -n world link set lo up
ip route add default via 198.18.0.2 dev out metric 5000
for port in 25 9000; do systemd-run --quiet -p NetworkNamespacePath=/run/netns/world ${programs}/traffic serve $port; done
mkdir -p /etc/bulkhead; cp /opt/bulkhead/packaging/bulkhead.service /etc/systemd/system/
mkdir -p /etc/systemd/system/bulkhead.service.d
printf '[Service]\\nTimeoutStartSec=infinity\\nWatchdogSec=0\\n' > /etc/systemd/system/bulkhead.service.d/patient.conf
systemctl daemon-reload
`;
