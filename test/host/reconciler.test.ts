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
const fail = (text: string) => assert.fail(text);

test('Rounds runs one round at a time, and starts the next one when it is due', async () => {
  let now = 0;
  let begun = 0;
  let end = () => {};
  const round = () => {
    begun++;
    return new Promise<void>((resolve) => (end = resolve));
  };
  const rounds = new Rounds(minute, round, { about: 'it', log: fail, clock: () => now });
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
    { about: 'it', log: fail, clock: () => now },
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
  const reconciler = new Reconciler(
    { deviation, attempt },
    { about: 'it', log: fail, clock: () => now },
  );
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

test('Rounds logs a round that throws once, and runs the next one all the same', async () => {
  let now = 0;
  let begun = 0;
  let problem: string | undefined = 'it is broken';
  const logged: string[] = [];
  const round = async () => {
    begun++;
    if (begun % 2 === 0) await nextTurn();
    if (problem !== undefined) throw new Error(problem);
  };
  const rounds = new Rounds(minute, round, {
    about: 'all of it',
    log: (text) => logged.push(text),
    clock: () => now,
  });
  const ticks = async (count: number) => {
    for (let tick = 0; tick < count; tick++) {
      now += minute;
      rounds.tick();
      for (let turn = 0; turn < 3; turn++) await nextTurn();
    }
    return begun;
  };
  assert.equal(await ticks(4), 4);
  assert.equal(logged.length, 1, logged.join('\n'));
  assert.match(
    logged[0] ?? '',
    /^Cannot check all of it: it is broken \(file:\S+reconciler\.test\.ts:\d+:\d+\); the next round tries again; /,
  );
  problem = 'it is broken elsewhere';
  await ticks(2);
  assert.equal(logged.length, 2);
  problem = undefined;
  await ticks(1);
  problem = 'it is broken';
  assert.equal(await ticks(1), 8);
  assert.equal(logged.length, 3, 'again after it worked');
});

test('Rounds survives a round that throws before its first pause', async () => {
  const logged: string[] = [];
  const round = () => {
    throw new Error('at once');
  };
  const rounds = new Rounds(0, round, { about: 'it', log: (text) => logged.push(text) });
  rounds.tick();
  await nextTurn();
  rounds.tick();
  await nextTurn();
  assert.equal(logged.length, 1);
});

test('Reconciler checks again after a check that threw', async () => {
  let now = 0;
  let checks = 0;
  const attempts: number[] = [];
  const logged: string[] = [];
  const reconciler = new Reconciler(
    {
      deviation() {
        checks++;
        if (checks === 1) throw new Error('broken');
        return 'something';
      },
      attempt: () => Promise.resolve(void attempts.push(checks)),
    },
    { about: 'it', log: (text) => logged.push(text), clock: () => now },
  );
  for (let round = 0; round < 2; round++) {
    reconciler.tick();
    await nextTurn();
    now += minute;
  }
  assert.deepEqual([attempts, logged.length], [[2], 1]);
});
