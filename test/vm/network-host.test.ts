/** The network of a host with a kernel of a distribution, which has fq, mq, bonds and VLANs. */
import assert from 'node:assert/strict';
import { after, before, suite, test } from 'node:test';
import { longPatienceMilliseconds } from '../../testing/patience.ts';
import { shellQuote } from '../../testing/vm/command.ts';
import { copyBundled, passBundled } from '../../testing/vm/bundled.ts';
import { startGuest, type Guest } from '../../testing/vm/guest.ts';
import { copyInstalled } from '../../testing/vm/installed.ts';
import { prepareGuests } from '../../testing/vm/suite.ts';

const guests = await prepareGuests(import.meta.filename);
const timeout = longPatienceMilliseconds;
const steps = 'test/network/qdiscs/steps.ts';

suite("the host's network in the virtual machine", { skip: guests.skip }, () => {
  let guest: Guest;
  before(
    async () => {
      guest = await startGuest(guests.image, 2);
      await copyInstalled(guest);
      await copyBundled(guest, [steps]);
    },
    { timeout },
  );
  after(() => guest[Symbol.asyncDispose]());

  test('qdiscs are set and restored', { timeout }, () =>
    passBundled(guest, 'test/network/qdiscs/kernel.test.ts'),
  );

  test('net.core.default_qdisc is set for later devices, and restored', { timeout }, async () => {
    const sysctl = '/proc/sys/net/core/default_qdisc';
    const run = (words: string) =>
      guest.succeed(
        `mkdir -p /var/lib/host-state && node /opt/bulkhead/dist/inside/steps.js /var/lib/host-state ${words}`,
      );
    await guest.succeed(`echo fq_codel > ${sysctl}; ip link add out type dummy && ip link set out up
      ip addr add 192.0.2.2/24 dev out; ip route add default via 192.0.2.1 metric 1`);
    assert.match(await run('adopt'), /fq on out/);
    assert.equal(await guest.succeed(`cat ${sysctl}`), 'fq\n');
    assert.equal(await run('restore'), '[]\n');
    assert.equal(await guest.succeed(`cat ${sysctl}`), 'fq_codel\n');
    // What somebody sets after us stays.
    await run('adopt');
    await guest.succeed(`echo pfifo_fast > ${sysctl}`);
    await run('check adopt');
    assert.equal(await run('restore'), '[]\n');
    assert.equal(await guest.succeed(`cat ${sysctl}`), 'pfifo_fast\n');
  });

  test("the agent's sandbox lets it write the two settings", { timeout }, async () => {
    const unit = await guest.succeed('cat /opt/bulkhead/packaging/bulkhead.service');
    const settings = unit
      .split('\n')
      .filter((line) =>
        /^(ReadWritePaths=.*\/proc\/sys|Protect|RestrictAddress|Capability)/.test(line),
      )
      .map((line) => `-p ${shellQuote(line)}`)
      .join(' ');
    assert.match(settings, /default_qdisc/);
    const write =
      'echo fq > /proc/sys/net/core/default_qdisc && echo 7001 > /proc/sys/net/ipv4/ip_local_reserved_ports';
    await guest.succeed(`systemd-run --wait --pipe -q ${settings} sh -c ${shellQuote(write)}`);
    assert.equal(await guest.succeed('cat /proc/sys/net/ipv4/ip_local_reserved_ports'), '7001\n');
  });
});
