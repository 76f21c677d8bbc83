/** Requests of services with accounts of their own, through the agent's real socket: who may ask. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { FleetAgent } from '../../src/agent/fleet/fleet-agent.ts';
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

test('only a system account gets the history of all tenants, and not a customer with its name', async () => {
  await using stage = await Stage.start();
  const pusher = 'bulkhead-history';
  const asked = async (uid: number) =>
    (await ask(stage.control, '/v1/history/window', { uid })).status;
  assert.equal(await asked(uids.bob), 403);
  stage.haveAccounts({ ...uids, [pusher]: 990 });
  // It may ask, and has said no window.
  assert.equal(await asked(990), 400);
  stage.haveAccounts({ ...uids, [pusher]: 5004 });
  assert.equal(await asked(5004), 403);
});

test('the courier is told to wait before it sends what may be large', async () => {
  await using stage = await Stage.start();
  stage.haveAccounts({ ...uids, [courier]: 990 });
  let wait = 0;
  const fleet = { admitCourier: () => wait } satisfies Partial<FleetAgent>;
  stage.parts = { fleet: fleet as unknown as FleetAgent };
  const post = { method: 'POST', uid: 990 };
  assert.equal((await ask(stage.control, '/v1/fleet/release', post)).status, withoutBody);
  wait = 7;
  const told = await ask(stage.control, '/v1/fleet/release', post);
  assert.equal(told.status, 429, told.text);
  assert.match(told.text, /retry in 7 s/);
  assert.equal(
    (await ask(stage.control, '/v1/fleet/release', { ...post, uid: 0 })).status,
    withoutBody,
  );
});
const withoutBody = 415;
