/** Numbers of charts: their axis and their table. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { axisSteps, axisTop, timeSteps } from '../../../src/console/page/charts/plot-axis.ts';
import type { SeriesColumnsResponse } from '../../../src/agent/api/report-api.ts';
import { tableRows } from '../../../src/console/page/state/chart-numbers.ts';
import { chartOfLimit, chartsFor, measuredCharts } from '../../../src/console/page/state/charts.ts';
import type { LimitKey } from '../../../src/limits/limit.ts';

const line = (...values: (number | null)[]) => ({ kind: 'main' as const, values });

test('axisSteps() marks a limit of whole units', () => {
  const top = axisTop({ lines: [line(0.2, null, 0.7)], limit: 1, unit: 'fraction' });
  assert.deepEqual(axisSteps(top, 'fraction'), [0, 0.25, 0.5, 0.75, 1]);
});

test('axisSteps() has binary steps for bytes, and whole ones for counts', () => {
  const mebibyte = 2 ** 20;
  const top = axisTop({ lines: [line(900 * mebibyte)], limit: 1024 * mebibyte, unit: 'bytes' });
  assert.deepEqual(
    axisSteps(top, 'bytes').map((each) => each / mebibyte),
    [0, 256, 512, 768, 1024],
  );
  const few = axisTop({ lines: [line(1)], limit: undefined, unit: 'count' });
  assert.ok(axisSteps(few, 'count').every(Number.isInteger));
});

test('axisTop() is above zero if nothing was used', () => {
  for (const unit of ['fraction', 'bytes', 'bytesPerSecond', 'perSecond', 'count'] as const)
    assert.ok(axisTop({ lines: [line(null, 0)], limit: undefined, unit }) > 0);
});

test('timeSteps() marks whole parts of a day, at most as many as there is space for', () => {
  const at = (hours: number, minutes: number) => new Date(2026, 5, 10, hours, minutes).getTime();
  assert.deepEqual(timeSteps(at(9, 7), at(10, 7), 5), [at(9, 15), at(9, 30), at(9, 45), at(10, 0)]);
  assert.deepEqual(timeSteps(at(9, 7), at(33, 7), 2), [at(12, 0), at(24, 0)]);
  for (const days of [0.001, 0.04, 1, 7, 30, 400, 4000])
    for (const countMax of [1, 3, 10]) {
      const [from, to] = [at(9, 7), at(9 + 24 * days, 7)];
      const steps = timeSteps(from, to, countMax);
      assert.ok(steps.length <= countMax + 1, `${days} days have ${steps.length} marks`);
      assert.ok(steps.every((each) => each >= from && each <= to));
    }
  assert.deepEqual(timeSteps(Number.NaN, 1, 4), []);
});

test('timeSteps() marks midnights, also of days of 23 or 25 hours', (t) => {
  const { TZ } = process.env;
  process.env['TZ'] = 'Europe/Berlin';
  t.after(() => {
    if (TZ === undefined) delete process.env['TZ'];
    else process.env['TZ'] = TZ;
  });
  for (const [month, day] of [
    [2, 28],
    [9, 24],
  ] as const) {
    const midnights = [0, 1, 2].map((later) => new Date(2026, month, day + later).getTime());
    assert.deepEqual(timeSteps(midnights[0]!, midnights[2]!, 3), midnights);
    const hours = timeSteps(midnights[1]!, midnights[2]!, 25);
    assert.equal(new Set(hours).size, hours.length);
    assert.ok(hours.every((each) => each % 3_600_000 === 0));
  }
});

test('tableRows() averages what was measured, and leaves the rest unknown', () => {
  const rows = tableRows(
    {
      from: 0,
      to: 600,
      seconds: [60, 0, 0, 0, 30, 60],
      lines: [[1, null, null, null, 4, 1]],
    },
    3,
  );
  assert.deepEqual(rows, [
    { from: 0, to: 200, values: [1] },
    { from: 200, to: 400, values: [null] },
    { from: 400, to: 600, values: [2] },
  ]);
});

test('charts of databases are there once something is known of them', () => {
  const series = (average: readonly (number | null)[]): SeriesColumnsResponse => ({
    from: 0,
    to: 2,
    seconds: [1, 1],
    metrics: Object.fromEntries(
      ['cpu', 'databaseCpu', 'databasePaused', 'databaseConnections'].map((key) => [
        key,
        { average: key === 'cpu' ? [1, 1] : average, max: average },
      ]),
    ),
  });
  const possible = chartsFor({});
  const keysOf = (average: readonly (number | null)[]) =>
    measuredCharts(possible, series(average)).map(({ key }) => key);
  assert.deepEqual(keysOf([null, null]), ['cpu']);
  assert.deepEqual(keysOf([null, 0]), ['cpu', 'database', 'databaseConnections']);
});

test('chartOfLimit() marks all limits on databases on their charts', () => {
  const charts = chartsFor({});
  const keyOf = (limit: LimitKey) => chartOfLimit(charts, limit)?.key;
  assert.equal(keyOf('database.cpu'), 'database');
  assert.equal(keyOf('database.connections'), 'databaseConnections');
  assert.equal(keyOf('database.statement'), 'database');
});
