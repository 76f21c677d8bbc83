/**
 * How packets wait at a limit, by the qdisc fq: none of a connection's is lost, and small requests do not wait behind bulk.
 * Only the clock of this host counts, so a slow one shows the same.
 */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { suite, test, type TestContext } from 'node:test';
import { alice, bob, noStage, rulesFor, stageOfSuite, world4, world6 } from './stage.ts';

const skip = await noStage();
/** An account outside the policy. */
const stranger = 65_432;

suite('pacing', { skip }, () => {
  let hasFq = false;
  const on = stageOfSuite(async (stage) => {
    hasFq = stage.useFq();
    stage.divideNothing();
    stage.apply(rulesFor({}));
    await stage.serve('world', 'serve', 9000);
  });
  const needsFq = (context: TestContext) => {
    if (!hasFq) context.skip('this kernel has no fq');
    return hasFq;
  };
  const useOf = (uid: number) => {
    const use = on.stage.apply(rulesFor({})).readUse().get(uid);
    assert.ok(use !== undefined);
    return use;
  };

  for (const [name, address] of [
    ['IPv4', world4],
    ['IPv6', world6],
  ] as const)
    test(`TCP by ${name} leaves at its limit, and hardly a packet is lost`, async (context) => {
      if (!needsFq(context)) return;
      const rate = 600_000;
      const before = useOf(alice);
      const programs = on.stage.apply(rulesFor({ [alice]: { limits: { send: rate } } }));
      const wire = on.stage.wire().sent;
      const seconds = Number(await on.stage.as(alice, 'put', address, 9000, 1_800_000)) / 1_000;
      const bytes = on.stage.wire().sent.bytes - wire.bytes;
      const now = programs.readUse().get(alice);
      // A millisecond at once, the packet under way, and what goes on the wire is rounded.
      assert.ok(bytes <= rate * (seconds + 0.05) + 8_000, `${bytes} in ${seconds} s`);
      assert.ok((now?.heldPackets ?? 0) - before.heldPackets > 100);
      const lost = (now?.lostPackets ?? 0) - before.lostPackets;
      assert.ok(lost <= 20, `${lost}`);
    });

  test('a small request does not wait behind bulk of the same tenant', async (context) => {
    if (!needsFq(context)) return;
    const rate = 40_000;
    // Eight full packets, from which TCP is told, are 300 ms.
    on.stage.apply(rulesFor({ [alice]: { limits: { send: rate } } }));
    const before = useOf(alice).heldPackets;
    on.stage.apply(rulesFor({ [alice]: { limits: { send: rate } } }));
    const bulk = on.stage.as(alice, 'put', world4, 9000, 400_000);
    const programs = on.stage.apply(rulesFor({ [alice]: { limits: { send: rate } } }));
    while ((programs.readUse().get(alice)?.heldPackets ?? 0) - before < 20)
      await new Promise((resolve) => setTimeout(resolve, 20));
    const median = Number(await on.stage.as(alice, 'ask', world4, 9000, 15));
    assert.ok(median < 150, `${median} ms`);
    assert.match(await bulk, /^\d+$/);
  });

  test('a flood of datagrams leaves at its limit', async (context) => {
    if (!needsFq(context)) return;
    const rate = 400_000;
    on.stage.apply(rulesFor({ [bob]: { limits: { send: rate } } }));
    const wire = on.stage.wire().sent;
    const begun = performance.now();
    assert.equal(await on.stage.as(bob, 'datagrams', world4, 9000, 900, 4_000), '4000');
    const seconds = (performance.now() - begun) / 1_000;
    const bytes = on.stage.wire().sent.bytes - wire.bytes;
    assert.ok(bytes <= rate * (seconds + 0.05) + 8_000, `${bytes} in ${seconds} s`);
  });

  for (const how of ['rate', 'time'])
    test(`no account fills the queue of all by packets that are to leave later, by their ${how}`, async (context) => {
      if (!needsFq(context)) return;
      for (const [uid, limits] of [
        [alice, {}],
        [alice, { send: 50_000_000 }],
        [stranger, {}],
      ] as const) {
        on.stage.apply(rulesFor({ [alice]: { limits } }));
        const hoarder = await on.stage.serve(uid, 'hoard', how, world4, 9000, 200);
        const waiting = on.stage.waiting();
        await hoarder.end();
        assert.equal(hoarder.line, 'sent');
        assert.ok(waiting < 2_000, `${waiting} packets of ${uid} wait`);
      }
    });

  test('what is received is held to its limit by late acknowledgements', async (context) => {
    if (!needsFq(context)) return;
    const rate = 500_000;
    const before = useOf(alice);
    const programs = on.stage.apply(rulesFor({ [alice]: { limits: { receive: rate } } }));
    await on.stage.as(alice, 'get', world4, 9000, 2_000_000);
    const now = programs.readUse().get(alice);
    const received = (now?.receivedPackets ?? 0) - before.receivedPackets;
    assert.ok((now?.heldPackets ?? 0) > before.heldPackets);
    const lost = (now?.lostPackets ?? 0) - before.lostPackets;
    assert.ok(lost < received / 5, `${lost} of ${received}`);
  });
});
