/** Frames of live data: what they bring, and to whom. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ConsoleFrame } from '../../src/agent/api/console-api.ts';
import type { Fault } from '../../src/usage/fault.ts';
import { policy, Stage, uids } from './stage.ts';

const [acme, alice, bob] = [`r${uids.acme}`, `u${uids.alice}`, `u${uids.bob}`] as const;

const slowed = (count: number): Fault => ({
  member: alice,
  limit: 'cpu.limit',
  severity: 'throttled',
  count,
  inferred: false,
});

async function frameFor(stage: Stage, token: string, query = ''): Promise<ConsoleFrame> {
  const reply = await stage.with(token, `/v1/console/frame${query}`);
  assert.equal(reply.status, 200, reply.text);
  return reply.json<ConsoleFrame>();
}

test('the first frame, and the first one of a generation, bring the ticks before', async () => {
  await using stage = await Stage.start();
  const { token } = await stage.login(0);
  stage.tick(5, { [uids.alice]: 0.5 });
  stage.tick(10, { [uids.alice]: 1, [uids.bob]: 2 });
  const first = await frameFor(stage, token);
  assert.deepEqual(first.members, [alice, bob]);
  assert.deepEqual(first.past, {
    at: [5, 10],
    cpu: [
      [0.5, 1],
      [0, 2],
    ],
  });
  const known = `?generation=${first.generation}`;
  assert.equal((await frameFor(stage, token, known)).past, undefined);
  stage.adopt(policy);
  const next = await frameFor(stage, token, known);
  assert.notEqual(next.generation, first.generation);
  assert.deepEqual(next.past, first.past);
});

test('a frame says which limits were hit or nearly hit lately, also of members that are idle now', async () => {
  await using stage = await Stage.start();
  stage.adopt(`<defaults><cpu limit="100%"/></defaults>${policy}`);
  const { token } = await stage.login(0);
  stage.tick(5, { [uids.alice]: 1, [uids.bob]: 0.95 }, [slowed(3)]);
  stage.tick(10, { [uids.bob]: 0.1 });
  const frame = await frameFor(stage, token);
  assert.deepEqual(frame.members.toSorted(), [alice, bob]);
  const of = <T>(column: readonly T[]) => frame.members.map((member, row) => [member, column[row]]);
  const rows = (column: readonly unknown[]) => Object.fromEntries(of(column)) as unknown;
  assert.deepEqual(rows(frame.limitsHit), { [alice]: ['cpu.limit'], [bob]: [] });
  assert.deepEqual(rows(frame.limitsNear), { [alice]: [], [bob]: ['cpu.limit'] });
  assert.deepEqual(rows(frame.faults), { [alice]: 3, [bob]: 0 });
  assert.deepEqual(rows(frame.usage.cpu), { [alice]: 0, [bob]: 0.1 });
  assert.equal(frame.idle, 2);
});

test('a frame has what databases do for tenants once it is known, and no zero before', async () => {
  await using stage = await Stage.start();
  stage.adopt(`<defaults><database cpu="50%"/></defaults>${policy}`);
  const { token } = await stage.login(0);
  stage.tick(5, { [uids.alice]: 1 });
  assert.ok(!('parts' in (await frameFor(stage, token))));
  const databases = { databaseCpu: 0.48, databaseConnections: 3, databasePaused: 0.25 };
  stage.measure(10, { [uids.alice]: { cpu: 1, ...databases }, [uids.bob]: { cpu: 0.5 } });
  const frame = await frameFor(stage, token);
  assert.deepEqual(frame.members.slice(0, 2), [alice, bob]);
  assert.deepEqual(frame.parts, {
    databaseCpu: [0.48, 0],
    databaseConnections: [3, 0],
    databasePaused: [0.25, 0],
  });
  assert.deepEqual(frame.limitsNear[0], ['database.cpu']);
  // A page takes members that are left out for idle, so what no member has must be left out, too.
  stage.measure(15, { [uids.alice]: { cpu: 1, databaseConnections: 3 } });
  assert.deepEqual((await frameFor(stage, token)).parts, { databaseConnections: [3] });
});

test('a frame has nothing of others, and an audience gets the frame of its own', async () => {
  await using stage = await Stage.start();
  stage.tick(5, { [uids.alice]: 1, [uids.bob]: 2 }, [slowed(1)]);
  const seen = async (uid: number, query = '') => {
    const { members, past, limitsHit } = await frameFor(
      stage,
      (await stage.login(uid, query)).token,
    );
    assert.equal(past?.cpu.length, members.length);
    assert.equal(limitsHit.length, members.length);
    return members;
  };
  assert.deepEqual(await seen(0), [alice, bob]);
  assert.deepEqual(await seen(uids.acme), [alice]);
  assert.deepEqual(await seen(uids.bob), [bob]);
  assert.deepEqual(await seen(uids.carol), []);
  assert.deepEqual(await seen(0, '?as=alice'), [alice]);
  assert.deepEqual(await seen(uids.acme, '?as=alice'), [alice]);
  assert.ok(!(await seen(uids.acme)).includes(acme), 'its sum is idle in this tick');
});

test('a frame brings no ticks from before its account had the uid', async () => {
  await using stage = await Stage.start();
  const soon = Date.now() + 1_000;
  stage.tick(1, { [uids.alice]: 1 });
  stage.tick(soon, { [uids.alice]: 2 });
  const { token } = await stage.login(uids.alice);
  assert.deepEqual((await frameFor(stage, token)).past, { at: [1, soon], cpu: [[null, 2]] });
  const root = await stage.login(0);
  assert.deepEqual((await frameFor(stage, root.token)).past?.cpu, [[1, 2]]);
});
