/** Evidence in the file that this version did not write: hostile, damaged, or of an earlier form. */
import assert from 'node:assert/strict';
import { DatabaseSync } from 'node:sqlite';
import { deflateRawSync } from 'node:zlib';
import { describe, test } from 'node:test';
import { withoutCommands } from '../../src/agent/responses/incidents.ts';
import { capabilities } from '../../src/capabilities.ts';
import { EventStore, type NewIncident } from '../../src/store/events/event-store.ts';
import { encodeEvidence, evidenceBytesMax } from '../../src/store/events/snapshot-bytes.ts';
import { explainIncident } from '../../src/usage/explain-incident.ts';
import { IncidentKinds, loadIncidentKinds } from '../../src/usage/incident-kinds.ts';
import type { Snapshot } from '../../src/usage/incident.ts';
import { metricKeys, type KernelKey } from '../../src/usage/metrics.ts';
import { isPartKey } from '../../src/usage/part-keys.ts';
import { Place, start, value } from './samples.ts';

const kinds = await loadIncidentKinds(capabilities);
const incident: NewIncident = {
  member: 'u1001',
  name: 'ann',
  limit: 'symlinks.guard',
  severity: 'refused',
  inferred: false,
  begin: start,
  end: start + 5_000,
  faults: 3,
  value: 'owner-match',
  from: '<symlinks> of the policy',
};
const zeros = Object.fromEntries(
  metricKeys.filter((key) => !isPartKey(key)).map((key) => [key, 0]),
) as Record<KernelKey, number>;
const link = {
  at: start,
  program: 'nginx',
  link: '/home/ann/x',
  target: '/home/ben/y',
  targetOwner: 'ben',
};
const evidence = { kind: 'links', items: [link] };
const process = {
  pid: 7,
  name: 'php',
  command: 'php x.php',
  state: 'R',
  threads: 1,
  memoryBytes: 5,
  ageSeconds: 2,
  request: { method: 'GET', path: '/', script: '/srv/index.php', seconds: 1 },
};
const whole: Snapshot = {
  at: start,
  processes: [process],
  processCount: 3,
  usage: zeros,
  killed: [{ pid: 12, name: 'php', memoryBytes: 9 }],
  cpuLimitNow: 0.6,
  evidence,
};

/** Returns the evidence of an incident in whose snapshots these bytes are. */
function readBack(bodies: readonly Uint8Array[], known = kinds): readonly Snapshot[] {
  using place = new Place();
  {
    using store = new EventStore(place.directory);
    value(store.open(incident));
  }
  const db = new DatabaseSync(`${place.directory}/events.db`);
  const insert = db.prepare(
    "INSERT INTO snapshots (incident, member, at, body) VALUES (1, 'u1001', ?, ?)",
  );
  for (const body of bodies) insert.run(start, body);
  db.close();
  using store = new EventStore(place.directory, { kinds: known });
  const found = value(store.incident(1));
  assert.ok(found);
  // Whatever was stored can be explained and redacted.
  for (const limit of [incident.limit, 'memory.limit', 'processes.limit', 'entries.limit'] as const)
    for (const severity of ['throttled', 'refused', 'killed'] as const)
      for (const showCommands of [true, false]) {
        const shown = { ...found.incident, limit, severity };
        const texts = explainIncident(shown, found.evidence, 'ann', { kinds: known, showCommands });
        assert.doesNotMatch(texts.join(' '), /undefined|NaN|\[object/);
      }
  for (const each of found.evidence) withoutCommands(each, known);
  return found.evidence;
}

const bodyOf = (stored: unknown) => deflateRawSync(JSON.stringify(stored));

describe('EventStore.incident() with a stored snapshot', () => {
  test('returns what encodeEvidence() wrote', () => {
    assert.deepEqual(readBack([encodeEvidence(whole)]), [whole]);
  });

  test('leaves out evidence of an unknown kind', () => {
    const { evidence: _evidence, ...rest } = whole;
    assert.deepEqual(readBack([encodeEvidence(whole)], new IncidentKinds()), [rest]);
    const odd = { kind: 'constructor', items: [link] };
    assert.deepEqual(readBack([bodyOf({ ...whole, evidence: odd })]), [rest]);
  });

  test("leaves out the evidence of an earlier version's snapshot", () => {
    const { evidence: _evidence, ...rest } = whole;
    const earlier = { ...rest, requests: [{}], links: [link], tries: [{ at: 1 }] };
    assert.deepEqual(readBack([bodyOf(earlier)]), [rest]);
  });

  test('leaves out bytes that are damaged or not a snapshot', () => {
    const bodies = [null, 7, 'x', [], {}, { at: 'x' }, { at: null }].map(bodyOf);
    const damaged = [new Uint8Array(), Uint8Array.of(1, 2, 3), deflateRawSync('{"at":1')];
    assert.deepEqual(readBack([...bodies, ...damaged]), []);
  });

  test('returns the valid parts of a malformed snapshot', () => {
    const hostile = {
      at: start,
      processes: [null, 5, {}, { pid: 'x' }, { pid: 8, name: {}, cpuSeconds: 'x', request: [] }],
      processCount: 'many',
      usage: { cpu: 'x', memory: 5, more: 1 },
      killed: [{ pid: 1 }, {}, 'x'],
      evidence: { kind: 'links', items: [null, { ...link, at: 'x' }, { ...link, more: 1 }] },
      more: { huge: true },
    };
    const empty = { name: '', command: '', state: '', threads: 0, memoryBytes: 0 };
    const request = { method: '', path: '', script: '', seconds: 0 };
    assert.deepEqual(readBack([bodyOf(hostile)]), [
      {
        at: start,
        processes: [{ pid: 8, ...empty, request }],
        processCount: 1,
        usage: { ...zeros, memory: 5 },
        killed: [{ pid: 1, name: '' }],
        evidence,
      },
    ]);
    const nothing = { at: start, processes: 5, usage: 5, killed: {}, evidence: 5 };
    assert.deepEqual(readBack([bodyOf(nothing)]), [
      { at: start, processes: [], processCount: 0, usage: zeros },
    ]);
  });

  test('bounds processes, killed processes and evidence of a huge snapshot', () => {
    const text = 'x'.repeat(6_000);
    const huge = {
      at: start,
      processes: Array.from({ length: 100 }, (_, pid) => ({ ...process, pid, command: text })),
      killed: Array.from({ length: 200 }, (_, pid) => ({ pid, name: text })),
      evidence: {
        kind: 'links',
        items: Array.from({ length: 50 }, () => ({ ...link, link: text })),
      },
    };
    const [read] = readBack([bodyOf(huge)]);
    assert.deepEqual(
      [read?.processes.length, read?.killed?.length, read?.evidence?.items.length],
      [50, 50, 20],
    );
    assert.ok(JSON.stringify(read).length < 4_096 * 130);
  });
});

test('encodeEvidence() drops items that would make a snapshot too large', () => {
  const noise = (length: number) =>
    Array.from({ length }, () => String.fromCharCode(33 + Math.random() * 90)).join('');
  const items = Array.from({ length: 20 }, () => ({ ...link, link: noise(20_000) }));
  const bytes = encodeEvidence({ ...whole, evidence: { kind: 'links', items } });
  assert.ok(bytes.byteLength <= evidenceBytesMax);
  const [read] = readBack([bytes]);
  assert.equal(read?.processCount, 3);
  assert.ok((read.evidence?.items.length ?? 0) >= 1);
});
