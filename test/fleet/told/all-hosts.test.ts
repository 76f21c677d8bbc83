/** The hosts of a fleet as they are shown: unknown is not zero, and waves are counted by what hosts say. */
import '../../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { suite, test } from 'node:test';
import { allHosts, responseNow } from '../../../src/fleet/core/told/all-hosts.ts';
import {
  parseSnapshot,
  snapshotBytesMax,
  snapshotHostsMax,
  snapshotText,
  type SnapshotHost,
} from '../../../src/fleet/core/told/snapshot.ts';
import { snapshotOf, toldHost } from './snapshots.ts';

const noon = Date.parse('2027-01-31T12:00:00.000Z');
const hour = 3_600_000;

const rowsOf = (hosts: readonly SnapshotHost[]) => allHosts(snapshotOf(hosts, noon)).hosts;

suite('all hosts', () => {
  test('a host that is silent, or never said anything, has unknown counts', () => {
    const [never, silent, there] = rowsOf([
      toldHost('a', 0, {}, { status: null, mark: null }),
      toldHost('b', noon - hour),
      toldHost('c', noon, { outside: 3, faults24h: 0 }),
    ]);
    assert.deepEqual(
      [never?.state, never?.generation, never?.tenants, never?.faults24h, never?.heard],
      ['unknown', null, null, null, null],
    );
    assert.deepEqual(
      [silent?.state, silent?.generation, silent?.faults24h, silent?.outside],
      ['silent', 42, null, null],
    );
    assert.deepEqual([there?.state, there?.faults24h, there?.outside], ['confirmed', 0, 3]);
  });

  test('a status of another host or fleet counts for nothing', () => {
    const [other, elsewhere] = rowsOf([
      toldHost('a', noon, { host: 'b' }),
      toldHost('c', noon, { fleet: 'another' }),
    ]);
    assert.deepEqual([other?.state, elsewhere?.state], ['unknown', 'unknown']);
  });

  test('each wave has counts of its hosts', () => {
    const second = { wave: 2 };
    const { rollout } = allHosts(
      snapshotOf(
        [
          toldHost('a', noon, { state: 'healthy', generation: 43, newest: 43 }),
          toldHost('b', noon, { state: 'watching', generation: 43, newest: 43 }),
          toldHost('c', noon, { state: 'rolled back', newest: 43 }),
          toldHost('d', noon, { state: 'refused', newest: 43 }),
          toldHost('e', noon - hour, { state: 'healthy', generation: 43 }),
          toldHost('f', noon, { state: 'checking', newest: 43 }, second),
          toldHost('g', noon, { state: 'waiting', newest: 43 }, second),
          toldHost('h', noon, { state: 'rolled back', newest: 42 }, second),
          toldHost('i', noon, { state: 'healthy', generation: 43 }, { wave: null }),
        ],
        noon,
        {
          rollout: {
            generation: 43,
            waves: [
              { hosts: 5, isOpen: true },
              { hosts: 3, isOpen: false },
            ],
            record: {
              generation: 43,
              verdict: 'go',
              wave: 1,
              issued: '2027-01-31T11:00:00.000Z',
              isFresh: true,
              reason: '',
            },
          },
        },
      ),
    );
    assert.deepEqual(rollout?.waves, [
      { wave: 1, isOpen: true, hosts: 5, healthy: 1, begun: 1, failed: 2, unknown: 1 },
      { wave: 2, isOpen: false, hosts: 3, healthy: 0, begun: 1, failed: 0, unknown: 0 },
    ]);
    assert.equal(rollout?.record?.reason, undefined);
  });

  test('a centre that has written nothing for a minute is not current, nor one from the future', () => {
    const all = allHosts(snapshotOf([], noon));
    const isCurrent = (now: number) => responseNow(all, now).isCurrent;
    assert.deepEqual([noon, noon + 60_000, noon + 60_001, noon - 60_001].map(isCurrent), [
      true,
      true,
      false,
      false,
    ]);
  });

  test('hosts for which there is no space are left out, and counted', () => {
    const why = '\u0001'.repeat(500);
    const many = Array.from({ length: snapshotHostsMax + 5 }, (_, at) =>
      toldHost(`h${String(at).padStart(6, '0')}`, noon, { why }, { refused: why }),
    );
    const text = snapshotText(snapshotOf(many, noon));
    assert.ok(Buffer.byteLength(text) <= snapshotBytesMax);
    const read = parseSnapshot(text);
    assert.ok(read.ok);
    const all = allHosts(read.value);
    assert.equal(all.count, many.length);
    assert.ok(all.hosts.length < snapshotHostsMax && all.hosts.length > 1000);
    const short = parseSnapshot(snapshotText(snapshotOf(many.map(withoutWords), noon)));
    assert.ok(short.ok && short.value.hosts.length === snapshotHostsMax);
  });
});

const withoutWords = (host: SnapshotHost): SnapshotHost => ({
  ...host,
  status: null,
  refused: null,
});
