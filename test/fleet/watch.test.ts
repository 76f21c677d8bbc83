/** The watch over a release: what nobody has measured does not pass. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { roomEngine } from './room-engine.ts';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import type { FleetEngine } from '../../src/agent/fleet/fleet-agent.ts';
import type { PlacementStatus } from '../../src/agent/api/status-response.ts';
import type { PolicyState } from '../../src/agent/reconciler.ts';
import { begun, newState } from '../../src/fleet/core/states.ts';
import { FleetHost } from '../../src/fleet/io/fleet-host.ts';
import { HostStore } from '../../src/fleet/io/host-store.ts';
import { momentNow } from '../../src/fleet/io/moment.ts';
import { outsideBefore } from '../../src/fleet/io/outside-watch.ts';
import { PressureLog } from '../../src/fleet/io/pressure-log.ts';
import { Watch, type WatchOptions } from '../../src/fleet/io/watch.ts';
import { outsideMax } from '../../src/host/placer/protocol.ts';
import { fleetDirectoryOf, pathsOf } from '../../src/host/paths.ts';
import { ok } from '../../packages/base/result.ts';
import { suiteDirectory } from '../../testing/temporary-directory.ts';

const watchSeconds = 60;
const inForce: PolicyState = {
  file: '/etc/bulkhead/policy.xml',
  state: 'in force',
  stateChangedAt: 0,
  problems: [],
};
const scanned: PlacementStatus = {
  state: 'on',
  events: 0,
  migrated: 0,
  overruns: 0,
  restarts: 0,
  outside: [],
  unknown: [],
  scannedAt: 1,
};
const starting: PlacementStatus = { ...scanned, state: 'starting', unknown: ['not scanned yet'] };
delete (starting as { scannedAt?: number }).scannedAt;

/** An agent that says what the test says. */
class Agent {
  placement = scanned;
  state = inForce;
  isApplied = true;
  readonly calls: string[] = [];

  readonly engine: FleetEngine = {
    apply: () => {
      this.calls.push('apply');
      return Promise.resolve({ state: this.state, changes: 0 });
    },
    state: () => this.state,
    isApplied: () => this.isApplied,
    check: () => assert.fail('nothing is checked'),
    events: { incidents: () => ok({ incidents: [], total: 0 }) },
    recordedSince: () => 0,
    placement: () => this.placement,
    scan: () => {
      this.calls.push('scan');
      return Promise.resolve(this.placement);
    },
    customers: () => ({ count: 1, find: (member) => ({ name: member, customer: member }) }),
    tenants: () => 1,
    ...roomEngine(),
  };

  scan(outside: readonly number[] = []): void {
    const reason = 'its cgroup is gone';
    const found = outside.map((pid) => ({ pid, uid: 1000 + pid, reason }));
    this.placement = {
      ...scanned,
      outside: found,
      scannedAt: (this.placement.scannedAt ?? 0) + 1,
    };
  }
}

suite('watch', () => {
  const directory = suiteDirectory('fleet-watch');
  const tick = { at: Date.now(), seconds: watchSeconds, faults: [], missing: [] };

  function watchOf(agent: Agent, more: Partial<WatchOptions> = {}) {
    const pressure = new PressureLog({ proc: directory }, directory);
    const { engine } = agent;
    const from = Date.now();
    const watch = new Watch(
      { engine, pressure, watchSeconds, known: [], outside: [], from, ...more },
      [],
    );
    return {
      see: () => watch.see(tick),
      verdict: (passed = 3600) => {
        const verdict = watch.judge(passed);
        return 'reasons' in verdict
          ? `${verdict.kind}: ${verdict.reasons.join('; ')}`
          : verdict.kind;
      },
    };
  }

  test('passes only once two scans have ended since it began', () => {
    const agent = new Agent();
    const { see, verdict } = watchOf(agent);
    see();
    assert.match(verdict(), /^unclear: Processes outside .*no scan/);
    agent.scan();
    see();
    assert.match(verdict(), /^unclear/);
    assert.equal(verdict(watchSeconds + 1), 'watching');
    agent.scan();
    see();
    assert.equal(verdict(), 'pass');
    assert.ok(agent.calls.includes('scan'));
  });

  test('does not pass with a placer that has died, though it has scanned before', () => {
    const agent = new Agent();
    const { see, verdict } = watchOf(agent);
    for (let each = 0; each < 3; each++) {
      agent.scan();
      see();
    }
    assert.equal(verdict(), 'pass');
    agent.placement = starting;
    see();
    assert.match(verdict(), /^unclear: .*not scanned yet/);
    agent.scan();
    see();
    assert.match(verdict(), /^unclear/);
  });

  test('does not pass with a scan of long ago', (context) => {
    const agent = new Agent();
    const { see, verdict } = watchOf(agent);
    for (let each = 0; each < 3; each++) {
      agent.scan();
      see();
    }
    const now = performance.now();
    context.mock.method(performance, 'now', () => now + 3_600_000);
    see();
    assert.match(verdict(), /^unclear: .*no scan/);
  });

  test('tells what was outside before from what is outside since, and knows when it cannot', () => {
    const outside = ['7 1007'];
    const verdictWith = (before: WatchOptions['outside'], pids: readonly number[]) => {
      const agent = new Agent();
      const { see, verdict } = watchOf(agent, { outside: before });
      for (let each = 0; each < 2; each++) {
        agent.scan(pids);
        see();
      }
      return verdict();
    };
    assert.equal(verdictWith(outside, [7]), 'pass');
    assert.match(verdictWith(outside, [7, 8]), /^fail: 1 process is outside/);
    assert.match(verdictWith(undefined, [7]), /^unclear: .*whether they were before/);
    assert.equal(verdictWith(undefined, []), 'pass');
  });

  test('does not pass a release that never reached the kernel, though the problem was there before', () => {
    const agent = new Agent();
    const problems = ['Cannot start the applier'];
    agent.state = { ...inForce, state: 'failed', problems };
    agent.isApplied = false;
    const { see, verdict } = watchOf(agent, { known: problems });
    for (let each = 0; each < 3; each++) {
      agent.scan();
      see();
    }
    assert.match(verdict(), /^unclear: The policy with it could not be applied/);
    agent.isApplied = true;
    see();
    assert.equal(verdict(), 'pass');
    // Root edits the policy later, with an error: what was applied stays in force.
    agent.isApplied = false;
    agent.state = { ...inForce, state: 'refused', problems: ['a typo'] };
    see();
    assert.equal(verdict(), 'pass');
  });

  test('a typo of root at a restart does not count against the release', () => {
    const agent = new Agent();
    agent.state = { ...inForce, state: 'refused', problems: ['a typo'] };
    agent.isApplied = false;
    const { see, verdict } = watchOf(agent);
    see();
    assert.equal(verdict(1), 'watching');
  });

  test('too many processes outside to be listed are not compared with', async () => {
    const agent = new Agent();
    agent.scan(Array.from({ length: outsideMax - 1 }, (_, each) => each + 1));
    assert.equal((await outsideBefore(agent.engine))?.length, outsideMax - 1);
    agent.scan(Array.from({ length: outsideMax }, (_, each) => each + 1));
    assert.equal(await outsideBefore(agent.engine), undefined);
  });

  test('the processes outside are counted, and kept, before a release is applied', async () => {
    const paths = { ...pathsOf('bulkhead-fleet-watch'), state: join(directory, 'state') };
    const store = new HostStore(fleetDirectoryOf(paths));
    const now = momentNow(paths);
    const release = { trust: 1, generation: 7 };
    const state = begun(newState('example', 'web-001', now), release, { watchSeconds }, now);
    assert.ok(store.create().ok && store.writeRelease(release, '<bulkhead version="1"/>').ok);
    assert.ok(store.writeState({ ...state, isStopped: true }).ok);
    const agent = new Agent();
    agent.scan([7]);
    const quiet = { info: () => undefined, warn: () => undefined, error: () => undefined };
    const host = new FleetHost(paths, quiet, fleetDirectoryOf(paths));
    host.begin(agent.engine);
    host.begun();
    while (host.status().release?.phase !== 'watching') await turn();
    assert.deepEqual(agent.calls.slice(0, 3), ['scan', 'apply', 'apply']);
    const kept = store.readState();
    assert.deepEqual(kept.ok && kept.value?.current?.outside, ['7 1007']);
    host.stop();
  });
});
