import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { noCounters } from '../../src/limits/limits.ts';
import type { Counters, LimitKey, LimitValues } from '../../src/limits/limit.ts';
import { unlimited, type Quantity } from '../../packages/base/quantity.ts';
import { observedFaults } from '../../src/usage/detect.ts';
import { incidentTitle } from '../../src/usage/explain-incident.ts';
import { IncidentLog } from '../../src/usage/incident-log.ts';
import type { Fault } from '../../src/usage/fault.ts';
import { incidentOf, plain, textOf } from './incidents.ts';

const counters = (some: Partial<Counters>): Counters => ({ ...noCounters, ...some });

/** The limits that would have been hit in one second. */
function exceeded(now: Partial<Counters>, observed: LimitValues): readonly string[] {
  const reading = { member: 'u1001', before: counters({}), now: counters(now) } as const;
  return observedFaults(reading, 1, observed).map(({ limit, severity, count }) => {
    assert.equal(severity, 'observed');
    assert.equal(count, 1);
    return limit;
  });
}

const limit = (key: keyof LimitValues, value: number): LimitValues => ({
  [key]: value as Quantity,
});

describe('observedFaults()', () => {
  test('reports usage above an observed limit, and none at it', () => {
    assert.deepEqual(exceeded({ cpuMicroseconds: 600_000 }, limit('cpu.limit', 0.5)), [
      'cpu.limit',
    ]);
    assert.deepEqual(exceeded({ cpuMicroseconds: 500_000 }, limit('cpu.limit', 0.5)), []);
    assert.deepEqual(exceeded({ readBytes: 30, writeBytes: 30 }, limit('io.total', 50)), [
      'io.total',
    ]);
    assert.deepEqual(exceeded({ threads: 3, threadsPeak: 9 }, limit('processes.limit', 8)), [
      'processes.limit',
    ]);
  });

  test('does not count page cache, which the kernel would have reclaimed', () => {
    const used = { memoryBytes: 100, memoryPeakBytes: 300, cacheBytes: 60 };
    assert.deepEqual(exceeded(used, limit('memory.limit', 50)), []);
    assert.deepEqual(exceeded({ ...used, cacheBytes: 20 }, limit('memory.limit', 50)), [
      'memory.limit',
    ]);
  });

  test('reports nothing where there is no limit, or no earlier sample', () => {
    const used = counters({ cpuMicroseconds: 1e9 });
    assert.deepEqual(exceeded(used, { 'cpu.limit': unlimited }), []);
    assert.deepEqual(exceeded(used, {}), []);
    const first = { member: 'u1001', before: undefined, now: used } as const;
    assert.deepEqual(observedFaults(first, 1, limit('cpu.limit', 0.1)), []);
  });
});

test('IncidentLog keeps what was only observed apart from what happened', () => {
  const log = new IncidentLog();
  const fault: Fault = {
    member: 'u1001',
    limit: 'cpu.limit',
    severity: 'observed',
    count: 1,
    inferred: true,
  };
  const [first] = log.add([fault], { at: 0, monotonic: 0 });
  const [second] = log.add([{ ...fault, severity: 'throttled' }], { at: 1000, monotonic: 1000 });
  assert.notEqual(first, second);
  assert.equal(first?.severity, 'observed');
  assert.equal(second?.severity, 'throttled');
});

describe('explainIncident() of an observed limit', () => {
  const observed = { severity: 'observed', inferred: true, faults: 3 } as const;

  test('says that nothing was held back, and what the limit would have done', () => {
    const text = textOf(incidentOf(observed), [], 'alice', plain);
    assert.match(text, /^alice used more than its CPU limit of 100% .* in 3 samples\./);
    assert.match(text, /only observes limits, so nothing held it back/);
    assert.match(text, /If the limit were enforced, its programs would have waited/);
    assert.doesNotMatch(text, /throttled|inferred/);
    assert.equal(
      incidentTitle(incidentOf(observed), 'alice', plain),
      'alice went above its CPU limit, which is only observed',
    );
  });

  test('names what would have been refused or killed', () => {
    const of = (limitKey: LimitKey, value: string) =>
      textOf(incidentOf({ ...observed, limit: limitKey, value }), [], 'alice', plain);
    assert.match(of('memory.limit', '1GiB'), /would have killed a process/);
    assert.match(of('processes.limit', '20'), /would have refused new processes/);
    const connections = of('database.connections', '20');
    assert.match(connections, /connections above it would have been closed/);
    assert.doesNotMatch(connections, /would have waited/);
  });
});
