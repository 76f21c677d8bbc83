/** Checks, attempts and reports of the agent's parts, with a clock of our own. */
import assert from 'node:assert/strict';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { test } from 'node:test';
import { Reconciler } from '../../src/host/reconcile/reconciler.ts';
import { reportOnce } from '../../src/host/reconcile/report-once.ts';
import { Rounds } from '../../src/host/reconcile/rounds.ts';
import { failed } from '../../packages/base/problem.ts';
import { ok } from '../../packages/base/result.ts';

const minute = 60_000;

test('Rounds runs one round at a time, and starts the next one when it is due', async () => {
  let now = 0;
  let begun = 0;
  let end = () => {};
  const round = () => {
    begun++;
    return new Promise<void>((resolve) => (end = resolve));
  };
  const rounds = new Rounds(minute, round, () => now);
  const tick = async (milliseconds: number) => {
    now += milliseconds;
    rounds.tick();
    await nextTurn();
    return begun;
  };
  assert.equal(await tick(0), 1, 'at once');
  assert.equal(await tick(5 * minute), 1, 'the first one still runs');
  end();
  await nextTurn();
  assert.equal(await tick(0), 2);
  end();
  await nextTurn();
  assert.equal(await tick(minute - 1), 2);
  assert.equal(await tick(1), 3, 'a minute after the last one began');
  end();
  await nextTurn();
  assert.equal(await tick(1), 3);
  rounds.soon();
  assert.equal(await tick(0), 4);
});

test('Reconciler retries a deviation after ten minutes, and corrects another one at once', async () => {
  let now = 0;
  let deviation: string | undefined;
  let checks = 0;
  const attempts: (string | undefined)[] = [];
  const reconciler = new Reconciler(
    {
      deviation() {
        checks++;
        return deviation;
      },
      attempt: () => Promise.resolve(void attempts.push(deviation)),
    },
    () => now,
  );
  const after = async (milliseconds: number) => {
    now += milliseconds;
    reconciler.tick();
    await nextTurn();
    return attempts.join(' ');
  };
  assert.equal(await after(0), '');
  deviation = 'a';
  assert.equal(await after(minute - 1), '', 'too early');
  assert.equal(checks, 1);
  assert.equal(await after(1), 'a');
  for (let minutes = 1; minutes < 10; minutes++) assert.equal(await after(minute), 'a');
  assert.equal(await after(minute), 'a a');
  deviation = 'b';
  reconciler.soon();
  assert.equal(await after(0), 'a a b', 'another deviation');
  deviation = undefined;
  assert.equal(await after(minute), 'a a b');
  deviation = 'b';
  assert.equal(await after(minute), 'a a b b', 'it was gone in between');
});

test('Reconciler checks nothing while an attempt runs', async () => {
  let now = 0;
  let checks = 0;
  let end = () => {};
  const attempt = () => new Promise<void>((resolve) => (end = resolve));
  const deviation = () => String(++checks);
  const reconciler = new Reconciler({ deviation, attempt }, () => now);
  reconciler.tick();
  now += 60 * minute;
  reconciler.soon();
  reconciler.tick();
  assert.equal(checks, 1);
  end();
  await nextTurn();
  reconciler.tick();
  assert.equal(checks, 2);
});

test('reportOnce() logs a failure when it starts, and again after it has ended', () => {
  const lines: string[] = [];
  const report = reportOnce((text) => lines.push(text));
  const problem = (reason: string) => failed({ action: 'load it', reason });
  for (const each of [problem('a'), problem('a'), problem('b'), ok(undefined), problem('b')])
    report(each);
  assert.deepEqual(lines, ['Cannot load it: a', 'Cannot load it: b', 'Cannot load it: b']);
});
