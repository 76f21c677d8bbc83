/** The status and the events of a host, for its centre: numbered, bounded, and signed. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { ok } from '../../packages/base/result.ts';
import type { FleetOutboxResponse, FleetResponse } from '../../src/agent/api/fleet-api.ts';
import type { FleetEngine } from '../../src/agent/fleet/fleet-agent.ts';
import {
  eventsPerDocument,
  parseEvents,
  type EventsDocument,
  type FleetEvent,
} from '../../src/fleet/core/told/events.ts';
import {
  hostNamespaces,
  parseSigned,
  type HostNamespace,
} from '../../src/fleet/core/told/signed.ts';
import { parseStatus, type HostStatus } from '../../src/fleet/core/told/status.ts';
import { EventRing } from '../../src/fleet/io/outbox/event-ring.ts';
import { FaultMinutes } from '../../src/fleet/io/outbox/fault-minutes.ts';
import { Outbox } from '../../src/fleet/io/outbox/outbox.ts';
import { isSignedByHost } from '../../src/fleet/io/verify/host-signature.ts';
import type { Fault } from '../../src/usage/fault.ts';
import { roomEngine } from './room-engine.ts';
import { suiteDirectory } from '../../testing/temporary-directory.ts';

const event = (faults: number): FleetEvent => ({
  at: '2027-01-31T12:00:00.000Z',
  member: 'u1001',
  name: 'alice',
  limit: 'memory',
  severity: 'killed',
  faults,
});
const events = (from: number, count: number) =>
  Array.from({ length: count }, (_, each) => event(from + each));

suite("a host's outbox", () => {
  const directory = suiteDirectory('fleet-outbox');

  test('numbers events without a gap, hands out a bounded number, and keeps the last ones', () => {
    using ring = new EventRing(join(directory, 'ring'), 150);
    assert.ok(ring.add(events(1, 120)).ok);
    const first = ring.after(undefined, 0);
    assert.ok(first.ok);
    const { epoch } = first.value;
    assert.deepEqual(
      [first.value.first, first.value.last, first.value.events.length],
      [1, 120, eventsPerDocument],
    );
    assert.ok(ring.add(events(121, 100)).ok);
    const later = ring.after(epoch, 5);
    assert.ok(later.ok);
    assert.deepEqual([later.value.oldest, later.value.first, later.value.last], [71, 71, 220]);
    assert.equal(later.value.events[0]?.faults, 71);
    const end = ring.after(epoch, 220);
    assert.ok(end.ok);
    assert.deepEqual([end.value.events, end.value.first], [[], 221]);
    // Numbers of another epoch, or that were never given, say nothing.
    for (const [other, number] of [['0123', 220] as const, [epoch, 9999] as const]) {
      const all = ring.after(other, number);
      assert.ok(all.ok);
      assert.equal(all.value.first, 71);
    }
  });

  test('begins another epoch when its record is gone', () => {
    const place = join(directory, 'gone');
    const epochs = [1, 2].map(() => {
      using ring = new EventRing(place);
      const found = ring.after(undefined, 0);
      rmSync(join(place, 'outbox.db'));
      return found.ok ? found.value.epoch : assert.fail(found.error.reason);
    });
    assert.notEqual(epochs[0], epochs[1]);
  });

  test('counts faults by minute, and not those of limits that are only observed', () => {
    const minutes = new FaultMinutes();
    const nameOf = (member: string) => `${member} is alice`;
    const fault = (severity: Fault['severity'], count: number): Fault => ({
      member: 'u1001',
      limit: 'memory.limit',
      severity,
      count,
      inferred: false,
    });
    assert.deepEqual(minutes.see({ at: 1e12, faults: [] }, nameOf), []);
    const faults = [fault('killed', 2), fault('observed', 7), fault('throttled', 1)];
    assert.deepEqual(minutes.see({ at: 1e12 + 1000, faults }, nameOf), []);
    const made = minutes.see({ at: 1e12 + 60_000, faults: [fault('killed', 3)] }, nameOf);
    assert.deepEqual(
      made.map((each) => [each.severity, each.faults, each.name]),
      [
        ['killed', 5, 'u1001 is alice'],
        ['throttled', 1, 'u1001 is alice'],
      ],
    );
    assert.deepEqual(minutes.take(1e12), []);
  });

  const fleet: FleetResponse = {
    state: 'rolled back',
    fleet: 'example',
    host: 'web-001',
    newestGeneration: 8,
    newestRoot: 'a'.repeat(64),
    confirmedGeneration: 7,
    ended: { generation: 8, trust: 1, outcome: 'rolled back', reasons: ['a', 'b'], at: 1 },
    problems: [],
  };
  const placement = { state: 'on', events: 0, migrated: 0, overruns: 0, restarts: 0 } as const;
  const engine = (unknown: readonly string[]) =>
    ({
      placement: () => ({ ...placement, outside: [], unknown, scannedAt: 1 }),
      events: { incidents: () => ok({ incidents: [], total: 12 }) },
      tenants: () => 811,
      ...roomEngine(),
    }) as unknown as FleetEngine;
  const answerOf = (outbox: Outbox, unknown: readonly string[] = []): FleetOutboxResponse => {
    const answer = outbox.answer(fleet, engine(unknown), { epoch: undefined, after: 0 });
    return answer.ok ? answer.value : assert.fail(answer.error.reason);
  };
  const documentOf = (signed: string, namespace: HostNamespace) => {
    const parsed = parseSigned(signed);
    assert.ok(parsed.ok);
    assert.ok(isSignedByHost(namespace, parsed.value));
    const changed = { ...parsed.value, document: parsed.value.document.replace('811', '812') };
    assert.equal(isSignedByHost(namespace, changed), changed.document === parsed.value.document);
    return parsed.value;
  };
  const statusIn = (answer: FleetOutboxResponse): HostStatus => {
    const status = parseStatus(documentOf(answer.status, hostNamespaces.status).document);
    return status.ok ? status.value : assert.fail(status.error.reason);
  };

  test('signs the status and the events, each as what it is', () => {
    const log = { warn: (text: string) => assert.fail(text) };
    mkdirSync(join(directory, 'signed'));
    const outbox = new Outbox(join(directory, 'signed'), log);
    const first = answerOf(outbox);
    assert.equal(first.events, undefined);
    const { at, events: counted, room, ...status } = statusIn(first);
    assert.deepEqual([room?.cpu.has, room?.cpu.p95, room?.memory.unlimited], [4, null, 1]);
    assert.ok(Math.abs(Date.parse(at) - Date.now()) < 600_000);
    assert.equal(counted?.last, 0);
    assert.deepEqual(status, {
      format: 1,
      fleet: 'example',
      host: 'web-001',
      state: 'rolled back',
      generation: null,
      newest: 8,
      root: 'a'.repeat(64),
      confirmed: 7,
      tenants: 811,
      faults24h: 12,
      outside: 0,
      why: 'a; b',
    });
    assert.equal(statusIn(answerOf(outbox, ['pid 7'])).outside, null);
    const faults = [
      { member: 'u1', limit: 'memory', severity: 'killed', count: 1, inferred: false },
    ];
    outbox.see({ at: 1e12, seconds: 1, faults: faults as readonly Fault[], missing: [] });
    const { events: some } = answerOf(outbox);
    assert.equal(some?.last, 1);
    const signed = documentOf(some.signed, hostNamespaces.events);
    assert.equal(isSignedByHost(hostNamespaces.status, signed), false);
    const parsed = parseEvents(signed.document);
    assert.ok(parsed.ok);
    assert.deepEqual(
      [parsed.value.first, parsed.value.oldest, parsed.value.epoch],
      [1, 1, counted?.epoch],
    );
    outbox.stop(true);
  });

  test('keeps its key for root only, follows no link, and says when it is damaged', () => {
    const place = join(directory, 'signed');
    const file = join(place, 'host.key');
    assert.equal(statSync(file).mode & 0o777, 0o600);
    const outbox = new Outbox(place, { warn: () => undefined });
    const before = documentOf(answerOf(outbox).status, hostNamespaces.status).key;
    assert.equal(documentOf(answerOf(outbox).status, hostNamespaces.status).key, before);
    const text = readFileSync(file);
    const refused = () => {
      const answer = outbox.answer(fleet, engine([]), { epoch: undefined, after: 0 });
      return answer.ok ? '' : `${answer.error.status} ${answer.error.reason}`;
    };
    writeFileSync(file, text.subarray(0, 40));
    assert.match(refused(), /503 .*damaged/);
    rmSync(file);
    symlinkSync('/etc/passwd', file);
    assert.match(refused(), /^503 /);
    outbox.stop(false);
  });

  test('documents of any other form are refused', () => {
    const good: EventsDocument = {
      format: 1,
      fleet: 'example',
      host: 'web-001',
      epoch: 'ab',
      oldest: 1,
      first: 1,
      events: events(1, 1),
    };
    assert.ok(parseEvents(JSON.stringify(good)).ok);
    for (const bad of [
      { ...good, events: [] },
      { ...good, events: events(1, eventsPerDocument + 1) },
      { ...good, events: [event(0)] },
      { ...good, first: 0 },
      { ...good, host: '../etc' },
      { ...good, more: 1 },
    ])
      assert.equal(parseEvents(JSON.stringify(bad)).ok, false);
    assert.equal(parseSigned('{}').ok, false);
    const key = { format: 1, key: 'AA', signature: '', document: '' } as const;
    assert.equal(isSignedByHost(hostNamespaces.status, key), false);
  });
});
