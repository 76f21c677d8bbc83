/** Sessions: root accepts a connection, and a process of the tenant's sends by it. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { suite, test, type TestContext } from 'node:test';
import {
  alice,
  bob,
  host4,
  host6,
  noStage,
  rulesFor,
  stageOfSuite,
  subordinates,
} from './stage.ts';

const skip = await noStage();
const megabyte = 1_000_000;

suite('sessions of tenants', { skip }, () => {
  const on = stageOfSuite((stage) => stage.apply(rulesFor({})));
  const needsSessions = (context: TestContext) => {
    const { findSessions } = on.stage.apply(rulesFor({}));
    if (!findSessions) context.skip('this kernel lets nobody trace its functions');
    return findSessions;
  };
  const useOf = (uid: number) => on.stage.apply(rulesFor({})).readUse().get(uid);

  for (const [name, address, uid, port] of [
    ['IPv4', host4, alice, 9040],
    ['IPv6', host6, alice, 9041],
    ['IPv4, a subordinate uid', host4, subordinates[0] + 7, 9042],
  ] as const)
    test(`what a session sends and receives is its tenant's: ${name}`, async (context) => {
      if (!needsSessions(context)) return;
      const before = useOf(alice);
      const others = useOf(bob);
      const session = await on.stage.serve(0, 'session', uid, port, megabyte);
      await on.stage.inWorld('get', address, port, megabyte);
      const now = useOf(alice);
      const sent = (now?.sentBytes ?? 0) - (before?.sentBytes ?? 0);
      assert.ok(sent >= megabyte && sent < 1.1 * megabyte, `${sent}`);
      assert.ok((now?.receivedPackets ?? 0) > (before?.receivedPackets ?? 0));
      assert.deepEqual(useOf(bob), others);
      await session.end();
    });

  test('it has the limit of its tenant', async (context) => {
    if (!needsSessions(context)) return;
    const rate = 400_000;
    on.stage.apply(rulesFor({ [alice]: { limits: { send: rate } } }));
    const session = await on.stage.serve(0, 'session', alice, 9043, megabyte);
    const seconds = Number(await on.stage.inWorld('get', host4, 9043, megabyte)) / 1_000;
    // Half a second of them may wait on the way.
    assert.ok(megabyte <= rate * (seconds + 0.6), `${seconds} s`);
    await session.end();
  });

  test("what root, or an account outside the policy, sends by root's socket is nobody's", async () => {
    on.stage.apply(rulesFor({}));
    for (const [uid, port] of [
      [0, 9044],
      [65_432, 9045],
    ] as const) {
      const before = [useOf(alice), useOf(bob)];
      const session = await on.stage.serve(0, 'session', uid, port, megabyte);
      await on.stage.inWorld('get', host4, port, megabyte);
      assert.deepEqual([useOf(alice), useOf(bob)], before);
      await session.end();
    }
  });
});
