/** Since when a member has figures: idle time before it began is not shown as idleness. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ok } from '../../packages/base/result.ts';
import type { SeriesColumnsResponse } from '../../src/agent/api/report-api.ts';
import type { ColumnsQuery } from '../../src/store/history/history-query.ts';
import { ask, Stage, uids } from './stage.ts';

const minute = 60_000;

/** A history that was measured all the time, with the same value in each part. */
const always = (value: number) => ({
  columns: async ({ metrics, points, from, to }: ColumnsQuery) => {
    const values = Array<number>(points).fill(value);
    return ok({
      seconds: values.map(() => (to - from) / 1000 / points),
      metrics: new Map(metrics.map((key) => [key, { averages: values, maxima: values }])),
    });
  },
});

async function seriesOf(stage: Stage, from: number, uid = 0): Promise<SeriesColumnsResponse> {
  const query = `tenant=bob&metric=cpu&metric=read&from=${from}&to=${from + 60 * minute}&points=60`;
  const reply = await ask(stage.control, `/v1/series?${query}`, { uid });
  assert.equal(reply.status, 200, reply.text);
  return reply.json<SeriesColumnsResponse>();
}

test('the figures of a member begin when it did, for root and for itself', async () => {
  await using stage = await Stage.start();
  stage.history = always(0);
  const now = Date.now();
  for (const uid of [0, uids.bob]) {
    const { since = 0, seconds, metrics } = await seriesOf(stage, now - 30 * minute, uid);
    assert.ok(Math.abs(since - now) < 20 * minute, String(since - now));
    assert.equal(seconds[0], 0);
    assert.equal(seconds.at(-1), 60);
    assert.equal(metrics.cpu?.average[0], null);
    assert.equal(metrics.read?.max[0], null);
    assert.equal(metrics.cpu?.average.at(-1), 0);
  }
  const before = await seriesOf(stage, now - 120 * minute);
  assert.ok(before.since !== undefined && before.since > before.to);
  assert.deepEqual(new Set(before.metrics.cpu?.average), new Set([null]));
  const after = await seriesOf(stage, now + 30 * minute);
  assert.equal(after.since, undefined);
  assert.deepEqual(new Set(after.metrics.cpu?.average), new Set([0]));
});

test('root still sees what a former owner of the account used', async () => {
  await using stage = await Stage.start();
  stage.history = always(0.5);
  const { since, metrics } = await seriesOf(stage, Date.now() - 30 * minute);
  assert.equal(since, undefined);
  assert.deepEqual(new Set(metrics.cpu?.average), new Set([0.5]));
  const own = await seriesOf(stage, Date.now() - 30 * minute, uids.bob);
  assert.equal(own.metrics.cpu?.average[0], null);
});
