/**
 * Writes ticks and incidents until it is killed, and says after each what is committed:
 * `tick ID-of-last`, `incident ID`. Run by the test of kills.
 */
import { writeSync } from 'node:fs';
import { formatProblem, type Problem } from '../../packages/base/problem.ts';
import type { Result } from '../../packages/base/result.ts';
import { EventStore } from '../../src/store/events/event-store.ts';
import { MetricsStore } from '../../src/store/metrics/metrics-store.ts';
import { settings, start, tickOf } from './samples.ts';

const [directory = '', from = '0'] = process.argv.slice(2);
const metrics = new MetricsStore(directory);
const events = new EventStore(directory);

const insist = (written: Result<void, Problem>) => {
  if (!written.ok) throw new Error(formatProblem(written.error));
};

for (let number = Number(from) + 1; ; number++) {
  const at = start + number * 60_000;
  const use = Object.fromEntries(
    Array.from({ length: 50 }, (_, index) => [
      `u${(number + index) % 400}`,
      { cpu: 1, memory: 1e6 },
    ]),
  );
  insist(metrics.add(tickOf(at, use, 60)));
  writeSync(1, `tick ${number}\n`);
  insist(metrics.rollUp(at));
  insist(metrics.prune(at, settings));
  const written = events.transaction(() => {
    const opened = events.open({
      member: 'u1',
      name: 'one',
      limit: 'cpu.limit',
      severity: 'throttled',
      inferred: false,
      begin: at,
      end: at,
      faults: 1,
      value: '1 core',
      from: 'policy.xml:1',
    });
    events.addFaults(at, [
      { member: 'u1', limit: 'cpu.limit', severity: 'throttled', count: 1, inferred: false },
    ]);
    return opened;
  });
  if (!written.ok || !written.value.ok) throw new Error('An incident was not written');
  writeSync(1, `incident ${written.value.value}\n`);
}
