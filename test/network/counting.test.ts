/** The counters of the network's programs, beside those at the other end of the wire. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import type { NetworkUse } from '../../src/network/core/use.ts';
import {
  alice,
  bob,
  host4,
  noStage,
  rulesFor,
  stageOfSuite,
  subordinates,
  world4,
  world6,
} from './stage.ts';

const skip = await noStage();
const megabyte = 1_000_000;

suite('the use of the network', { skip }, () => {
  const on = stageOfSuite(async (stage) => {
    stage.divideNothing();
    stage.apply(rulesFor({}));
    await on.stage.serve('world', 'serve', 9000);
  });

  const useOf = (uid: number): NetworkUse => {
    const use = on.stage.apply(rulesFor({})).readUse().get(uid);
    assert.ok(use !== undefined);
    return use;
  };

  /** Returns what a load made on the wire, and what was counted for a tenant meanwhile. */
  const measured = async (uid: number, load: () => Promise<unknown>) => {
    const [wire, use] = [on.stage.wire(), useOf(uid)];
    await load();
    const [wireNow, useNow] = [on.stage.wire(), useOf(uid)];
    return {
      sent: {
        bytes: wireNow.sent.bytes - wire.sent.bytes,
        packets: wireNow.sent.packets - wire.sent.packets,
      },
      received: {
        bytes: wireNow.received.bytes - wire.received.bytes,
        packets: wireNow.received.packets - wire.received.packets,
      },
      counted: {
        sent: {
          bytes: useNow.sentBytes - use.sentBytes,
          packets: useNow.sentPackets - use.sentPackets,
        },
        received: {
          bytes: useNow.receivedBytes - use.receivedBytes,
          packets: useNow.receivedPackets - use.receivedPackets,
        },
        connections: useNow.connectionsOut - use.connectionsOut,
        local: useNow.localBytes - use.localBytes,
      },
    };
  };

  /** A few packets are the kernel's own: of neighbours, and of connections that no process has any more. */
  const isNear = (counted: number, seen: number, what: string) => {
    const spare = 2_000 + seen / 1_000;
    assert.ok(
      Math.abs(counted - seen) <= spare,
      `${what}: counted ${counted}, on the wire ${seen}`,
    );
  };

  for (const [name, address] of [
    ['IPv4', world4],
    ['IPv6', world6],
  ] as const) {
    test(`TCP by ${name} is counted as the wire has it, both ways`, async () => {
      const seen = await measured(alice, () =>
        on.stage.as(alice, 'put', address, 9000, 5 * megabyte),
      );
      isNear(seen.counted.sent.bytes, seen.sent.bytes, 'bytes sent');
      isNear(seen.counted.received.bytes, seen.received.bytes, 'bytes received');
      assert.ok(seen.counted.sent.bytes > 5 * megabyte);
      assert.equal(seen.counted.connections, 1);
      const got = await measured(alice, () =>
        on.stage.as(alice, 'get', address, 9000, 5 * megabyte),
      );
      // What comes after the tenant has closed its socket is nobody's.
      assert.ok(got.counted.received.bytes > 5 * megabyte * (1 + 40 / 1460));
      assert.ok(got.counted.received.bytes <= got.received.bytes + 2_000);
    });

    test(`datagrams by ${name}, also in fragments, are counted as the wire has them`, async () => {
      for (const size of [100, 1_400, 8_000]) {
        const seen = await measured(alice, () =>
          on.stage.as(alice, 'datagrams', address, 9000, size, 300),
        );
        isNear(seen.counted.sent.bytes, seen.sent.bytes, `datagrams of ${size} bytes`);
        isNear(seen.counted.sent.packets, seen.sent.packets, `packets for ${size} bytes`);
        assert.ok(seen.counted.sent.packets >= 300);
      }
    });
  }

  test('what one tenant sends is not counted for another, and what no tenant sends for nobody', async () => {
    const ofBob = await measured(bob, () => on.stage.as(alice, 'put', world4, 9000, megabyte));
    assert.equal(ofBob.counted.sent.bytes, 0);
    const ofRoot = await measured(alice, () => on.stage.as(0, 'put', world4, 9000, megabyte));
    assert.equal(ofRoot.counted.sent.bytes, 0);
  });

  test('subordinate uids count for their tenant', async () => {
    const seen = await measured(alice, () =>
      on.stage.as(subordinates[0] + 33, 'put', world4, 9000, megabyte),
    );
    assert.ok(seen.counted.sent.bytes > megabyte);
    isNear(seen.counted.sent.bytes, seen.sent.bytes, 'bytes sent');
  });

  test('further paths of MPTCP are counted, which the kernel makes', async (context) => {
    if (!on.stage.addPath()) return context.skip('this kernel has no MPTCP');
    const seen = await measured(alice, () =>
      on.stage.as(alice, 'mput', world4, 9000, 8 * megabyte),
    );
    assert.ok(on.stage.joinedPaths() > 0, 'there was no second path');
    isNear(seen.counted.sent.bytes, seen.sent.bytes, 'bytes sent');
  });

  test('loopback is counted apart, also by an address of the host', async () => {
    const server = await on.stage.serve(0, 'serve', 9011);
    for (const address of ['127.0.0.1', '::1', host4]) {
      const seen = await measured(alice, () => on.stage.as(alice, 'put', address, 9011, megabyte));
      assert.ok(seen.counted.local > megabyte, address);
      assert.equal(seen.counted.sent.bytes, 0, address);
      assert.equal(seen.counted.connections, 0, address);
    }
    await server.end();
  });

  test('connections from other hosts are counted', async () => {
    const server = await on.stage.serve(alice, 'serve', 9012);
    const before = useOf(alice).connectionsIn;
    assert.equal(await on.stage.inWorld('connects', host4, 9012, 20), '20 0');
    // A SYN may be sent again.
    assert.ok(useOf(alice).connectionsIn - before >= 20);
    await server.end();
  });
});
