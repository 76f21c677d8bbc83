/** A host in a fleet, which may be the centre as well, for tests of the page. */
import assert from 'node:assert/strict';
import pino from 'pino';
import type { FleetEngine } from '../../../src/agent/fleet/fleet-agent.ts';
import type { SnapshotHead } from '../../../src/fleet/core/told/snapshot.ts';
import { begun, heardOf, newState, type Phase } from '../../../src/fleet/core/states.ts';
import { fleetPart } from '../../../src/fleet/io/agent-part.ts';
import { HostStore } from '../../../src/fleet/io/host-store.ts';
import { momentNow } from '../../../src/fleet/io/moment.ts';
import { centreDirectoryOf, fleetDirectoryOf } from '../../../src/host/paths.ts';
import type { Policy } from '../../../src/policy/policy.ts';
import { at, headFields } from '../../fleet/people.ts';
import { snapshotOf, toldHost, writeSnapshot } from '../../fleet/told/snapshots.ts';
import { goodStatus } from './host.ts';
import { Stage } from '../stage.ts';

const engine: Partial<FleetEngine> = {
  apply: async () => ({ state: 'in force', changes: 0 }) as never,
  state: () => ({ state: 'in force', problems: [] }) as never,
  isApplied: () => true,
};

/** Starts a host whose generation 43 is in a phase; generation 42 is confirmed, and 41 was refused. */
export async function memberHost(phase: Phase): Promise<Stage> {
  const stage = await Stage.start();
  stage.status = goodStatus(4);
  const { paths } = stage;
  const store = new HostStore(fleetDirectoryOf(paths));
  const now = momentNow(paths);
  const [older, newer] = [42, 43].map((generation) => ({ trust: 1, generation }));
  assert.ok(older !== undefined && newer !== undefined && store.create().ok);
  for (const each of [older, newer])
    assert.ok(store.writeRelease(each, '<bulkhead version="1"/>').ok);
  const newest = { format: 1, root: '', hosts: 1, ...headFields({ generation: 43 }) } as const;
  const known = heardOf(
    newState('example', 'web-017', now),
    {
      newest: { ...newest, issued: at(0), expires: '2099-01-01T00:00:00.000Z' },
      given: 'root',
      isLed: false,
    },
    now,
  );
  const state = begun(known, newer, { watchSeconds: 1800 }, now);
  const reasons = ['<b>2 tenants</b> were killed\u001b[2J'];
  const ended = { release: { trust: 1, generation: 41 }, outcome: 'refused', reasons, at: now.at };
  assert.ok(state.current !== undefined);
  const current = { ...state.current, phase };
  assert.ok(
    store.writeState({ ...state, current, confirmed: older, ended, isStopped: true } as never).ok,
  );
  const part = fleetPart(paths, pino({ level: 'silent' }));
  const settings = { name: 'example', host: 'web-017', from: [], accept: ['limits', 'packages'] };
  await part.fleet?.begin(engine as FleetEngine);
  part.adopt?.({ fleet: settings } as unknown as Policy, new Map());
  stage.parts = { fleet: part.fleet };
  return stage;
}

/** Starts a host in no fleet that may become the centre of one. */
export async function loneHost(): Promise<Stage> {
  const stage = await Stage.start();
  stage.status = goodStatus(4);
  stage.parts = { fleet: fleetPart(stage.paths, pino({ level: 'silent' })).fleet };
  return stage;
}

const hour = 3_600_000;

/** Has the centre write hosts, of which the first ones are in trouble. */
export function tellHosts(
  stage: Stage,
  count: number,
  now = Date.now(),
  more: Partial<SnapshotHead> = {},
): void {
  const name = (at: number) => `web-${String(at).padStart(4, '0')}`;
  const why = '<img src=x onerror=alert(1)>\u202e\u001b[2J 402 tenants leave';
  const troubled = [
    toldHost(name(0), now, { state: 'rolled back', newest: 43, why: 'memory: 41 tenants killed' }),
    toldHost(name(1), now, { state: 'refused', newest: 43, why }),
    toldHost(name(2), now - 3 * hour, { tenants: 903 }, { mark: null }),
    toldHost(name(3), 0, {}, { status: null, mark: null, refused: 'it signs with another key' }),
    toldHost(name(4), now, { state: 'held', why: 'disk is replaced' }),
    toldHost(name(5), now, { state: 'melted' as never, outside: 7, faults24h: null }),
    toldHost(name(6), now, {}, { mark: { epoch: 'e1', stored: 2, lost: 4 } }),
  ];
  const rest = Array.from({ length: Math.max(0, count - troubled.length) }, (_, at) =>
    toldHost(
      name(at + troubled.length),
      now,
      at % 2 === 0 ? {} : { state: 'healthy', generation: 43, newest: 43 },
      {
        wave: 2,
      },
    ),
  );
  const hosts = [...troubled, ...rest];
  const rollout = {
    generation: 43,
    waves: [
      { hosts: troubled.length, isOpen: true },
      { hosts: rest.length, isOpen: false },
    ],
    record: {
      generation: 43,
      verdict: 'hold',
      wave: 1,
      issued: new Date(now - hour).toISOString(),
      isFresh: true,
      reason: '9.7 % failed, 2 % allowed',
    },
  } as const;
  writeSnapshot(centreDirectoryOf(stage.paths), snapshotOf(hosts, now, { rollout, ...more }));
}
