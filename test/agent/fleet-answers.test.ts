/** Requests about a fleet, through the agent's real socket: who may ask. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ask, Stage, uids } from '../console/stage.ts';

const courier = 'bulkhead-fleet';
const statusFor = async (stage: Stage, uid: number) =>
  (await ask(stage.control, '/v1/fleet', { uid })).status;

test('only a system account is the courier, and not a customer with its name', async () => {
  await using stage = await Stage.start();
  assert.equal(await statusFor(stage, 0), 200);
  assert.equal(await statusFor(stage, uids.bob), 403);
  stage.haveAccounts({ ...uids, [courier]: 990 });
  assert.equal(await statusFor(stage, 990), 200);
  stage.haveAccounts({ ...uids, [courier]: 5004 });
  assert.equal(await statusFor(stage, 5004), 403);
  assert.equal(await statusFor(stage, 990), 403);
});
