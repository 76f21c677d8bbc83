/** The thread that answers: how many questions it takes, and what becomes of those it cannot answer. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { describe, test } from 'node:test';
import { formatProblem } from '../../packages/base/problem.ts';
import { History } from '../../src/store/history/history.ts';
import { MetricsStore } from '../../src/store/metrics/metrics-store.ts';
import type { Member } from '../../src/usage/member.ts';
import { metricKeys } from '../../src/usage/metrics.ts';
import { done, hour, Place, start, tickOf, value } from './samples.ts';
import { patienceMilliseconds } from '../../testing/patience.ts';

const root = new URL('../..', import.meta.url).pathname;
const period = { from: start, to: start + hour };
/** Time limits are only against hanging here. */
const patient = { millisecondsMax: patienceMilliseconds, patienceMilliseconds };

function filled(place: Place, ticks: number): MetricsStore {
  const store = new MetricsStore(place.directory);
  const members = Array.from({ length: 300 }, (_, index): Member => `u${index}`);
  const busy = Object.fromEntries(metricKeys.map((key) => [key, 1]));
  const use = Object.fromEntries(members.map((member, index) => [member, { ...busy, cpu: index }]));
  const { columns } = tickOf(0, use);
  for (let tick = 1; tick <= ticks; tick++) {
    store.add({ at: start + tick * 1_000, seconds: 1, members, columns });
  }
  return store;
}

/** Waits until it is so, for a generous time. */
async function until(isSo: () => boolean): Promise<void> {
  for (let wait = 0; !isSo(); wait++) {
    assert.ok(wait < 3_000, 'it never came to be so');
    await pause(10);
  }
}

describe('History', () => {
  test('answers each of its four queries', async () => {
    using place = new Place();
    using _store = filled(place, 10);
    await using all = new History(place.directory);
    const history = all.askedBy('administrator');
    const usage = value(await history.usage({ ...period, metrics: ['cpu'] }));
    assert.deepEqual(usage.rows.get('u7')?.cpu, { average: 7, p95: 7, max: 7 });
    const fractions = [0.5, 1];
    const quantiles = value(await history.quantiles({ ...period, metric: 'cpu', fractions }));
    assert.deepEqual(quantiles.get('u9'), [9, 9]);
    const series = await history.series({ ...period, metric: 'cpu', member: 'u3', points: 2 });
    assert.deepEqual(value(series), { averages: [3, null], maxima: [3, null], seconds: [10, 0] });
    const peak = value(await history.peakTotal({ ...period, metric: 'cpu' }));
    assert.equal(peak, (299 * 300) / 2);
    assert.match(
      JSON.stringify(await history.series({ ...period, metric: 'cpu', member: 'u3', points: 0 })),
      /1 to 10000/,
    );
  });

  test('stops a query that nobody waits for any more, and answers the next one', async () => {
    using place = new Place();
    using _store = filled(place, 600);
    await using history = new History(place.directory, patient);
    const asked = { ...period, metrics: metricKeys };
    // The thread is not ready yet, so that it finds the query stopped before its first row.
    for (const asker of ['administrator', 1_000] as const) {
      const visitor = new AbortController();
      const left = history.askedBy(asker, visitor.signal).usage(asked);
      const next = history.askedBy(asker).maxima(asked);
      visitor.abort();
      assert.match(JSON.stringify(await left), /nobody waits/);
      assert.equal(value(await next).rows.get('u7')?.cpu, 7);
    }
  });

  test('answers 33 of 200 queries at once, while add() keeps writing ticks', async () => {
    using place = new Place();
    using store = filled(place, 600);
    await using history = new History(place.directory, patient);
    const questions = Array.from({ length: 200 }, () =>
      history.askedBy('administrator').usage({ ...period, metrics: ['cpu'] }),
    );
    let ticks = 0;
    const flood = Promise.all(questions);
    const state = { isOver: false };
    void flood.then(() => (state.isOver = true));
    while (!state.isOver) {
      assert.deepEqual(store.add(tickOf(start + hour + ++ticks * 1_000, { u1: { cpu: 1 } })), done);
      await pause(1);
    }
    const answers = await flood;
    const refused = answers.filter(({ ok }) => !ok);
    assert.equal(answers.length - refused.length, 33);
    assert.match(
      JSON.stringify(refused[0]),
      /32 .*queries are waiting already","hint":"ask again in 1 s"/,
    );
    assert.ok(ticks > 1);
    value(await history.askedBy('administrator').usage({ ...period, metrics: ['cpu'] }));
  });

  test('answers an administrator and a quiet tenant while 20 others ask without end', async () => {
    using place = new Place();
    using _store = filled(place, 600);
    await using history = new History(place.directory, patient);
    const state = { isOver: false, answered: 0, refused: 0 };
    const attack = async (uid: number) => {
      while (!state.isOver) {
        const members: readonly Member[] = [`u${uid % 300}`];
        const query = { ...period, members, metrics: metricKeys };
        const { ok } = await history.askedBy(uid).usage(query);
        if (ok) state.answered++;
        else state.refused++;
        await pause(1);
      }
    };
    const attacks = Array.from({ length: 60 }, (_, index) => attack(1_000 + (index % 20)));
    for (let asked = 0; asked < 10; asked++) {
      value(await history.askedBy('administrator').usage({ ...period, metrics: ['cpu'] }));
    }
    value(
      await history.askedBy(2_000).series({ ...period, metric: 'cpu', member: 'u3', points: 2 }),
    );
    await until(() => state.answered > 0 && state.refused > 0);
    state.isOver = true;
    await Promise.all(attacks);
  });

  test("refuses a caller's fourth query, and says when to ask again", async () => {
    using place = new Place();
    using _store = filled(place, 10);
    await using history = new History(place.directory, patient);
    const ask = () => history.askedBy(1_001).peakTotal({ ...period, metric: 'cpu' });
    const answers = await Promise.all([ask(), ask(), ask(), ask()]);
    assert.deepEqual(
      answers.map(({ ok }) => ok),
      [true, true, true, false],
    );
    const [, , , refused] = answers;
    assert.ok(refused?.ok === false);
    assert.match(
      formatProblem(refused.error),
      /2 of your queries are waiting already; ask again in \d+ s/,
    );
    assert.ok((refused.error.retryAfterSeconds ?? 0) >= 1);
  });

  test('drops a query when its caller is gone, or when it has waited too long', async () => {
    using place = new Place();
    using _store = filled(place, 10);
    const query = { ...period, metric: 'cpu' } as const;
    await using history = new History(place.directory, { ...patient, patienceMilliseconds: 1 });
    const gone = new AbortController();
    const first = history.askedBy(1_001).peakTotal(query);
    const second = history.askedBy(1_001, gone.signal).peakTotal(query);
    gone.abort();
    assert.match(JSON.stringify(await second), /nobody waits/);
    const third = await history.askedBy(1_002, gone.signal).peakTotal(query);
    assert.match(JSON.stringify(third), /nobody waits/);
    // The thread takes longer than that to start.
    const late = await history.askedBy(1_001).peakTotal(query);
    assert.match(
      JSON.stringify(late),
      /the query waited for 0\.001 s, since tenants share 25 % of a core/,
    );
    value(await first);
  });

  test('ends its thread when idle, and starts another for the next query', async () => {
    using place = new Place();
    using _store = filled(place, 10);
    for (const asker of ['administrator', 1_001] as const) {
      await using history = new History(place.directory, { ...patient, idleMilliseconds: 50 });
      const ask = () => history.askedBy(asker).peakTotal({ ...period, metric: 'cpu' });
      assert.equal(history.isRunning, false);
      value(await ask());
      await until(() => !history.isRunning);
      const answer = ask();
      assert.equal(history.isRunning, true);
      value(await answer);
    }
  });

  test('fails a query that takes too long', async () => {
    using place = new Place();
    using _store = filled(place, 3_000);
    const history = new History(place.directory, { millisecondsMax: 1 });
    try {
      const answer = await history
        .askedBy('administrator')
        .usage({ ...period, metrics: metricKeys });
      assert.match(
        answer.ok ? '' : formatProblem(answer.error),
        /took longer than 0.001 s; ask about a shorter period/,
      );
    } finally {
      await history[Symbol.asyncDispose]();
    }
    await using another = new History(place.directory, patient);
    value(await another.askedBy('administrator').usage({ ...period, metrics: metricKeys }));
  });

  test('fails the waiting queries when it is disposed of', async () => {
    using place = new Place();
    using _store = filled(place, 10);
    const history = new History(place.directory);
    const query = { ...period, metric: 'cpu' } as const;
    const askers = ['administrator', 'administrator', 1_001, 1_001, 1_002] as const;
    const questions = askers.map((asker) => history.askedBy(asker).peakTotal(query));
    await history[Symbol.asyncDispose]();
    for (const answer of await Promise.all(questions)) assert.equal(answer.ok, false);
    assert.equal((await history.askedBy('administrator').peakTotal(query)).ok, false);
  });

  test('reports damage, and answers again when the file was set aside', async () => {
    using place = new Place();
    filled(place, 10)[Symbol.dispose]();
    writeFileSync(`${place.directory}/metrics.db`, 'nonsense '.repeat(1_000));
    const damage: string[] = [];
    const onDamage = (reason: string) => void damage.push(reason);
    await using history = new History(place.directory, { onDamage });
    const ask = () => history.askedBy('administrator').peakTotal({ ...period, metric: 'cpu' });
    const answer = await ask();
    assert.match(
      answer.ok ? '' : formatProblem(answer.error),
      /^Cannot read the history ".*": it is damaged/,
    );
    assert.equal(damage.length, 1);
    using store = new MetricsStore(place.directory);
    assert.deepEqual(store.setAsideDamaged(damage[0] ?? ''), done);
    store.add(tickOf(start + 1_000, { u1: { cpu: 2 } }));
    assert.equal(value(await ask()), 2);
  });

  test('does not keep the process alive', () => {
    using place = new Place();
    filled(place, 10)[Symbol.dispose]();
    const program = `
        import { History } from '${root}/src/store/history/history.ts';
        const history = new History('${place.directory}');
        const query = { from: 0, to: ${start + hour}, metric: 'cpu' };
        const answer = await history.askedBy(1001).peakTotal(query);
        console.log(answer.ok ? answer.value : answer.error.text);`;
    const said = execFileSync(process.execPath, ['--input-type=module', '-e', program], {
      encoding: 'utf8',
      timeout: patienceMilliseconds,
    });
    assert.equal(said.trim(), String((299 * 300) / 2));
  });
});
