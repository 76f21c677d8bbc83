/** The thread that answers: how many questions it takes, and what becomes of those it cannot answer. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { setTimeout as pause } from 'node:timers/promises';
import { describe, test } from 'node:test';
import { History } from '../../src/store/history.ts';
import { MetricsStore } from '../../src/store/metrics-store.ts';
import type { Member } from '../../src/usage/member.ts';
import { metricKeys } from '../../src/usage/metrics.ts';
import { hour, Place, start, tickOf, value } from './samples.ts';
import { patienceMilliseconds } from '../../src/testing/patience.ts';

const root = new URL('../..', import.meta.url).pathname;
const period = { from: start, to: start + hour };

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
  test('answers all four questions', async () => {
    using place = new Place();
    using _store = filled(place, 10);
    await using history = new History(place.directory);
    const usage = value(await history.usage({ ...period, metrics: ['cpu'] }));
    assert.deepEqual(usage.rows.get('u7')?.cpu, { average: 7, p95: 7, max: 7 });
    const fractions = [0.5, 1];
    const quantiles = value(await history.quantiles({ ...period, metric: 'cpu', fractions }));
    assert.deepEqual(quantiles.get('u9'), [9, 9]);
    const series = await history.series({ ...period, metric: 'cpu', member: 'u3', points: 2 });
    assert.deepEqual(value(series), [3, null]);
    const peak = value(await history.peakTotal({ ...period, metric: 'cpu' }));
    assert.equal(peak, (299 * 300) / 2);
    assert.match(
      JSON.stringify(await history.series({ ...period, metric: 'cpu', member: 'u3', points: 0 })),
      /1 to 10000/,
    );
  });

  test('answers a flood as far as its queue goes, while ticks go on', async () => {
    using place = new Place();
    using store = filled(place, 600);
    await using history = new History(place.directory);
    const questions = Array.from({ length: 200 }, () =>
      history.usage({ ...period, metrics: ['cpu'] }),
    );
    let ticks = 0;
    const flood = Promise.all(questions);
    const state = { isOver: false };
    void flood.then(() => (state.isOver = true));
    while (!state.isOver) {
      assert.equal(
        store.add(tickOf(start + hour + ++ticks * 1_000, { u1: { cpu: 1 } })),
        undefined,
      );
      await pause(1);
    }
    const answers = await flood;
    const refused = answers.filter(({ ok }) => !ok);
    assert.equal(answers.length - refused.length, 33);
    assert.match(JSON.stringify(refused[0]), /32 questions are waiting already; ask again later/);
    assert.ok(ticks > 1);
    value(await history.usage({ ...period, metrics: ['cpu'] }));
  });

  test('ends its thread when nobody asks, and starts another', async () => {
    using place = new Place();
    using _store = filled(place, 10);
    await using history = new History(place.directory, { idleMilliseconds: 50 });
    assert.equal(history.isRunning, false);
    value(await history.peakTotal({ ...period, metric: 'cpu' }));
    await until(() => !history.isRunning);
    value(await history.peakTotal({ ...period, metric: 'cpu' }));
    assert.equal(history.isRunning, true);
  });

  test('gives up a question that takes too long, and answers the next', async () => {
    using place = new Place();
    using _store = filled(place, 3_000);
    const history = new History(place.directory, { mostMilliseconds: 1 });
    try {
      const answer = await history.usage({ ...period, metrics: metricKeys });
      assert.match(
        answer.ok ? '' : answer.error,
        /took longer than 0.001 s; ask about a shorter period/,
      );
    } finally {
      await history[Symbol.asyncDispose]();
    }
    await using patient = new History(place.directory, { mostMilliseconds: patienceMilliseconds });
    value(await patient.usage({ ...period, metrics: metricKeys }));
  });

  test('answers what waits with a failure when it is closed', async () => {
    using place = new Place();
    using _store = filled(place, 10);
    const history = new History(place.directory);
    const questions = [1, 2, 3].map(() => history.peakTotal({ ...period, metric: 'cpu' }));
    await history[Symbol.asyncDispose]();
    for (const answer of await Promise.all(questions)) assert.equal(answer.ok, false);
    assert.equal((await history.peakTotal({ ...period, metric: 'cpu' })).ok, false);
  });

  test('tells of damage', async () => {
    using place = new Place();
    filled(place, 10)[Symbol.dispose]();
    writeFileSync(`${place.directory}/metrics.db`, 'nonsense '.repeat(1_000));
    const damage: string[] = [];
    const onDamage = (reason: string) => void damage.push(reason);
    await using history = new History(place.directory, { onDamage });
    const answer = await history.peakTotal({ ...period, metric: 'cpu' });
    assert.match(answer.ok ? '' : answer.error, /^Cannot read the history ".*": it is damaged/);
    assert.equal(damage.length, 1);
    using store = new MetricsStore(place.directory);
    assert.equal(store.setAsideDamaged(damage[0] ?? ''), undefined);
    store.add(tickOf(start + 1_000, { u1: { cpu: 2 } }));
    assert.equal(value(await history.peakTotal({ ...period, metric: 'cpu' })), 2);
  });

  test('keeps no process alive, and works as it is built', () => {
    using place = new Place();
    filled(place, 10)[Symbol.dispose]();
    const dist = `${place.parent}/dist`;
    // It is emitted also where something else does not compile, which is not tested here.
    spawnSync(process.execPath, [
      `${root}/node_modules/typescript/bin/tsc`,
      '-p',
      `${root}/tsconfig.build.json`,
      '--outDir',
      dist,
    ]);
    writeFileSync(`${dist}/package.json`, '{ "type": "module" }');
    const program = `
        import { History } from '${dist}/store/history.js';
        const history = new History('${place.directory}');
        const answer = await history.peakTotal({ from: 0, to: ${start + hour}, metric: 'cpu' });
        console.log(answer.ok ? answer.value : answer.error);`;
    const said = execFileSync(process.execPath, ['--input-type=module', '-e', program], {
      encoding: 'utf8',
      timeout: patienceMilliseconds,
    });
    assert.equal(said.trim(), String((299 * 300) / 2));
  });
});
