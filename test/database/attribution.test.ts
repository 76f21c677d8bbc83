/** The CPU time of accounts from looks, without a server. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { attribute, Calibration } from '../../src/database/core/use/attribution.ts';
import type { AccountUse, Look, Session } from '../../src/database/core/look.ts';
import { Sessions, type ListedSession } from '../../src/database/core/use/sessions.ts';

const constants = { perConnectionMicroseconds: 80, perStatementMicroseconds: 6 };
const nothing = { perConnectionMicroseconds: 0, perStatementMicroseconds: 0 };

const account = (
  name: string,
  cpuMicroseconds: number,
  connections = 0,
  statements = 0,
): AccountUse => ({
  account: name,
  cpuMicroseconds,
  connections,
  statements,
});

const look = (accounts: readonly AccountUse[], sessions: readonly Session[] = []): Look => ({
  atMicroseconds: 0,
  accounts,
  sessions,
  serverCpuMicroseconds: undefined,
  backgroundCpuMicroseconds: undefined,
});

const session = (id: number, name: string, more: Partial<ListedSession> = {}): ListedSession => ({
  id,
  account: name,
  isLocal: true,
  isIdle: false,
  isRunning: true,
  statementMilliseconds: 0,
  transactionMilliseconds: undefined,
  threadCpuMicroseconds: 0,
  statement: '',
  ...more,
});

const of = (used: ReadonlyMap<string, number>) => Object.fromEntries(used);

describe('attribute()', () => {
  test('adds what the counters leave out', () => {
    const used = attribute(
      look([account('alice', 1000, 1, 10), account('bob', 500)]),
      look([account('alice', 3000, 3, 20), account('bob', 500), account('carol', 70)]),
      constants,
    );
    assert.deepEqual(of(used), { alice: 2000 + 2 * 80 + 10 * 6, carol: 70 });
  });

  test('takes counters that fall for new ones: FLUSH, DROP USER or a restart', () => {
    const before = look([account('alice', 9_000_000, 50, 100), account('bob', 10, 1, 1)]);
    const used = attribute(before, look([account('alice', 2000, 1, 1)]), nothing);
    assert.deepEqual(of(used), { alice: 2000 });
  });

  test('charges an event what it used since, also when it has ended', () => {
    const event = (runningCpuMicroseconds: number): Session => ({
      ...session(7, 'alice'),
      isEvent: true,
      runningCpuMicroseconds,
    });
    const looks = [look([]), look([], [event(400)]), look([], [event(1000)]), look([])];
    const used = looks.slice(1).map((each, index) => of(attribute(looks[index]!, each, nothing)));
    assert.deepEqual(used, [{ alice: 400 }, { alice: 600 }, {}]);
  });
});

describe('sessions', () => {
  test('of a routine belong to the user at first sight, not to its DEFINER', () => {
    const sessions = new Sessions();
    sessions.follow([session(1, 'alice', { isIdle: true, isRunning: false })], 0);
    const [inside] = sessions.follow([session(1, 'root')], 1e6);
    assert.equal(inside?.account, 'alice');
  });

  test('first seen within a routine get their user when they are idle', () => {
    const sessions = new Sessions();
    sessions.follow([session(1, 'root')], 0);
    sessions.follow([session(1, 'alice', { isIdle: true, isRunning: false })], 1e6);
    const [inside] = sessions.follow([session(1, 'root')], 2e6);
    assert.equal(inside?.account, 'alice');
  });

  test('that are new are charged nothing that their thread did before', () => {
    const sessions = new Sessions();
    const running = [5_000_000, 5_300_000].map((threadCpuMicroseconds, index) => {
      const age = { threadCpuMicroseconds, statementMilliseconds: 900 + index * 1000 };
      return sessions.follow([session(1, 'alice', age)], index * 1e6)[0]?.runningCpuMicroseconds;
    });
    assert.deepEqual(running, [0, 300_000]);
  });

  test('without the CPU time of their thread have none', () => {
    const sessions = new Sessions();
    const listed = session(1, 'alice', { threadCpuMicroseconds: undefined });
    assert.equal(sessions.follow([listed], 0)[0]?.runningCpuMicroseconds, undefined);
  });
});

/** A connection of a simulated server, which runs one statement after another. */
interface Run {
  /** CPU time of each of its statements, in microseconds. */
  readonly statements: readonly number[];
  /** The part of a CPU that it gets, 0 to 1. */
  readonly share: number;
}

/** Returns the connections at a moment: counters of statements that have ended, and threads. */
function shown(runs: readonly Run[], atMicroseconds: number) {
  let counted = 0;
  const listed = runs.map(({ statements, share }, id) => {
    let left = atMicroseconds * share;
    let running: number | undefined;
    for (const each of statements) {
      if (left < each) {
        running = left;
        break;
      }
      left -= each;
      counted += each;
    }
    const used = Math.min(
      atMicroseconds * share,
      statements.reduce((sum, each) => sum + each, 0),
    );
    return session(id, 'alice', {
      isRunning: running !== undefined,
      isIdle: running === undefined,
      statementMilliseconds: running === undefined ? undefined : running / share / 1000,
      threadCpuMicroseconds: used,
    });
  });
  const total = listed.reduce((sum, each) => sum + (each.threadCpuMicroseconds ?? 0), 0);
  return { counted, listed, total };
}

test('over a minute, the sum is what the server used, and never negative', () => {
  const run = fc.record({
    statements: fc.array(fc.integer({ min: 100, max: 20_000_000 }), {
      minLength: 1,
      maxLength: 40,
    }),
    share: fc.double({ min: 0.05, max: 1, noNaN: true }),
  });
  const property = fc.property(fc.array(run, { minLength: 1, maxLength: 5 }), (runs) => {
    const sessions = new Sessions();
    let previous: Look | undefined;
    let sum = 0;
    for (let second = 0; second <= 60; second += 1) {
      const { counted, listed } = shown(runs, second * 1e6);
      const current = look([account('alice', counted)], sessions.follow(listed, second * 1e6));
      if (previous !== undefined) sum += attribute(previous, current, nothing).get('alice') ?? 0;
      previous = current;
    }
    const { total } = shown(runs, 60e6);
    assert.ok(sum >= 0, `${sum} is negative`);
    // A statement that runs at the end began between two states; the earlier one counts as its beginning.
    assert.ok(Math.abs(sum - total) <= 2e6 * runs.length, `${sum} of ${total}`);
  });
  fc.assert(property, { numRuns: 100, endOnFailure: true });
});

test('the constants grow until the sum is what the server used', () => {
  const calibration = new Calibration();
  const at = (second: number): Look => ({
    ...look([account('alice', second * 300_000, second * 1000, second * 20_000)]),
    serverCpuMicroseconds: second * (300_000 + 50_000 + 2 * (1000 * 80 + 20_000 * 6)),
    backgroundCpuMicroseconds: second * 50_000,
  });
  for (let second = 1; second < 30; second += 1) calibration.learn(at(second - 1), at(second));
  assert.equal(Math.round(calibration.constants.perConnectionMicroseconds), 160);
  assert.equal(Math.round(calibration.constants.perStatementMicroseconds), 12);
  const wild = new Calibration();
  wild.learn(at(0), { ...at(1), serverCpuMicroseconds: 1e12 });
  assert.equal(wild.constants.perStatementMicroseconds, 6 * 8, 'bounded');
});

test('the constants are learned although few states have the CPU time of background threads', () => {
  const calibration = new Calibration();
  const states = Array.from({ length: 60 }, (_, second): Look => ({
    ...look([account('alice', second * 300_000, second * 1000, second * 20_000)]),
    serverCpuMicroseconds: second * (300_000 + 50_000 + 2 * (1000 * 80 + 20_000 * 6)),
    backgroundCpuMicroseconds: second % 5 === 2 ? second * 50_000 : undefined,
  }));
  for (const [at, state] of states.entries()) {
    const previous = states[at - 1];
    if (previous === undefined) continue;
    calibration.learn(previous, state);
    const learned = Math.round(calibration.constants.perStatementMicroseconds);
    assert.equal(learned, at < 7 ? 6 : 12, `second ${at}`);
  }
});

test('the CPU time of a thread is kept only while its connection has been idle since the list before', () => {
  const idle = (id: number) =>
    session(id, 'alice', { isIdle: true, isRunning: false, threadCpuMicroseconds: 7 });
  const sessions = new Sessions();
  assert.equal(sessions.cpuOfIdle(1, 1e6, 0), undefined, 'it is new');
  const listed = [idle(1), session(2, 'alice'), { ...idle(3), threadCpuMicroseconds: undefined }];
  sessions.follow(listed, 10_000_000, 9_900_000);
  assert.equal(sessions.cpuOfIdle(1, 1_101, 11_000_000), 7);
  assert.equal(sessions.cpuOfIdle(1, 1_100, 11_000_000), undefined, 'it may have worked then');
  assert.equal(sessions.cpuOfIdle(2, 9_999, 11_000_000), undefined, 'it was running');
  assert.equal(sessions.cpuOfIdle(3, 9_999, 11_000_000), undefined, 'nothing was read');
});
