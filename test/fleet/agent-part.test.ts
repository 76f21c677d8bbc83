/** The agent's part at its start: a restart leaves a release as it was. */
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import pino from 'pino';
import type { FleetEngine } from '../../src/agent/fleet/fleet-agent.ts';
import { begun, newState, watching, type HostState } from '../../src/fleet/core/states.ts';
import { fleetPart } from '../../src/fleet/io/agent-part.ts';
import { HostStore } from '../../src/fleet/io/host-store.ts';
import { momentNow } from '../../src/fleet/io/moment.ts';
import { fleetDirectoryOf, pathsOf } from '../../src/host/paths.ts';
import type { Policy } from '../../src/policy/policy.ts';
import { suiteDirectory } from '../../testing/temporary-directory.ts';

suite("the agent's part for a fleet", () => {
  const directory = suiteDirectory('fleet-part');
  const log = pino({ level: 'silent' });
  const engine = {} as FleetEngine;
  const member = { fleet: { name: 'example', host: 'web-001', from: [], accept: [] } };
  let parts = 0;

  const partWith = (change?: (state: HostState) => HostState) => {
    const paths = { ...pathsOf('bulkhead-fleet-part'), state: join(directory, `${parts++}`) };
    const store = new HostStore(fleetDirectoryOf(paths));
    const now = momentNow(paths);
    const release = { trust: 1, generation: 7 };
    if (change !== undefined) {
      assert.ok(store.create().ok && store.writeRelease(release, '<bulkhead version="1"/>').ok);
      const state = begun(newState('example', 'web-001', now), release, { watchSeconds: 60 }, now);
      assert.ok(store.writeState(change(watching(state, now))).ok);
    }
    return { part: fleetPart(paths, log), store };
  };
  const adopt = (part: ReturnType<typeof fleetPart>, policy: object) =>
    part.adopt?.(policy as Policy, new Map());

  test('begin() leaves a watch as it was, before and after the policy is read', async () => {
    const { part } = partWith((state) => ({ ...state, isStopped: true }));
    await part.fleet?.begin(engine);
    assert.equal(part.fleet?.status().release?.phase, 'watching');
    adopt(part, member);
    assert.equal(part.fleet?.status().state, 'watching');
  });

  test('a policy without <fleet> drops a release that was not confirmed, which may come again', async () => {
    const { part, store } = partWith((state) => ({ ...state, isStopped: true }));
    await part.fleet?.begin(engine);
    adopt(part, {});
    assert.equal(part.fleet?.status().state, 'none');
    const state = store.readState();
    assert.equal(state.ok && state.value?.current, undefined);
    assert.equal(state.ok && state.value?.ended?.outcome, 'refused');
  });

  test('a host in no fleet has no state, and a damaged record is not taken for that', async () => {
    const { part } = partWith();
    await part.fleet?.begin(engine);
    assert.deepEqual(part.fleet?.status(), { state: 'none', problems: [] });
    const { part: damaged } = partWith(() => ({}) as HostState);
    await damaged.fleet?.begin(engine);
    assert.equal(damaged.fleet?.status().state, 'unknown');
    assert.equal(damaged.fleet?.keep().ok, false);
  });
});
