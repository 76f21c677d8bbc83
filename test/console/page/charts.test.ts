/** Numbers of charts: their axis and their table. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { axisSteps, axisTop } from '../../../src/console/page/charts/plot-axis.ts';
import { tableRows } from '../../../src/console/page/state/chart-numbers.ts';

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
