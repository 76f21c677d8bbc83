/** The CPU time of accounts, from the processes that serve them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { attribute, measuredConstants } from '../../../src/database/core/use/attribution.ts';
import { Backends, type ListedBackend } from '../../../src/database/core/use/backends.ts';
import type { Look } from '../../../src/database/core/look.ts';

interface Given {
  readonly cpu?: number;
  readonly account?: string;
  readonly began?: string;
  readonly leader?: number;
  readonly statement?: string;
  readonly isRunning?: boolean;
}

function backend(
  pid: number,
  { cpu, account = 'alice', began = '1', leader, statement = 's', isRunning = true }: Given,
): ListedBackend {
  return {
    pid,
    began,
    account,
    leader,
    statementBegan: statement,
    cpuMicroseconds: cpu,
    session:
      leader === undefined
        ? {
            isLocal: true,
            isRunning,
            statementMilliseconds: undefined,
            transactionMilliseconds: undefined,
            statement,
          }
        : undefined,
  };
}

const lookOf = (backends: Backends, ...listed: readonly ListedBackend[]): Look => ({
  atMicroseconds: 0,
  serverCpuMicroseconds: undefined,
  backgroundCpuMicroseconds: undefined,
  ...backends.follow(listed),
});

const usedBetween = (first: Look, second: Look) =>
  Object.fromEntries(attribute(first, second, measuredConstants));

test('a connection is charged with what its process has used since the previous sample', () => {
  const backends = new Backends();
  const first = lookOf(backends, backend(1, { cpu: 5000 }));
  const second = lookOf(backends, backend(1, { cpu: 7000 }));
  assert.deepEqual(usedBetween(first, second), { alice: 2000 });
  const idle = lookOf(backends, backend(1, { cpu: 7500, isRunning: false }));
  assert.deepEqual(usedBetween(second, idle), { alice: 500 });
  assert.deepEqual(usedBetween(idle, lookOf(backends)), {});
});

test('a new connection is charged from its beginning, but none of the first look is', () => {
  const backends = new Backends();
  const first = lookOf(backends, backend(1, { cpu: 9_000_000 }));
  const second = lookOf(
    backends,
    backend(1, { cpu: 9_000_000 }),
    backend(2, { cpu: 300, account: 'bob' }),
  );
  assert.deepEqual(usedBetween(first, second), { bob: 300 });
});

test('a pid that is used again is another process, also of another account', () => {
  const backends = new Backends();
  const first = lookOf(backends, backend(1, { cpu: 4000 }));
  const second = lookOf(backends, backend(1, { cpu: 100, account: 'bob', began: '2' }));
  assert.deepEqual(usedBetween(first, second), { bob: 100 });
  assert.equal(second.sessions[0]?.account, 'bob');
});

test('a process that helps counts for the account, and for the statement of its leader', () => {
  const backends = new Backends();
  const first = lookOf(backends, backend(1, { cpu: 1000 }));
  const second = lookOf(backends, backend(1, { cpu: 1500 }), backend(2, { cpu: 700, leader: 1 }));
  assert.deepEqual(usedBetween(first, second), { alice: 1200 });
  assert.equal(second.sessions[0]?.runningCpuMicroseconds, 1200);
  const third = lookOf(backends, backend(1, { cpu: 1600, statement: 't' }));
  assert.equal(third.sessions[0]?.runningCpuMicroseconds, 100);
  assert.deepEqual(usedBetween(second, third), { alice: 100 });
});

test('what cannot be read charges nobody', () => {
  const backends = new Backends();
  const first = lookOf(backends, backend(1, {}));
  const second = lookOf(backends, backend(1, { cpu: 5000 }));
  assert.deepEqual(usedBetween(first, second), {});
  assert.deepEqual(usedBetween(second, lookOf(backends, backend(1, { cpu: 6000 }))), {
    alice: 1000,
  });
});

test('the sum is what all processes used, whatever they do, and no account has a negative use', () => {
  const step = fc.record({
    pid: fc.integer({ min: 1, max: 4 }),
    more: fc.nat(1000),
    statement: fc.constantFrom('s', 't', 'u'),
    isRunning: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const backends = new Backends();
      const cpu = new Map([1, 2, 3, 4].map((pid) => [pid, 0]));
      const listed = (change?: { pid: number; statement: string; isRunning: boolean }) =>
        [...cpu].map(([pid, used]) =>
          backend(pid, {
            cpu: used,
            account: `a${pid % 2}`,
            ...(change?.pid === pid ? change : {}),
          }),
        );
      let last = lookOf(backends, ...listed());
      for (const { pid, more, ...change } of steps) {
        cpu.set(pid, (cpu.get(pid) ?? 0) + more);
        const next = lookOf(backends, ...listed({ pid, ...change }));
        const used = Object.values(usedBetween(last, next));
        assert.ok(used.every((each) => each >= 0));
        assert.equal(
          used.reduce((sum, each) => sum + each, 0),
          more,
        );
        last = next;
      }
    }),
  );
});
