/** The page of a tenant that has just begun: no idle line where it did not exist. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { ok } from '../../../packages/base/result.ts';
import type { ColumnsQuery } from '../../../src/store/history/history-query.ts';
import { ConsoleBrowser, skip } from './browser.ts';
import { hostWith } from './host.ts';

const minute = 60_000;

/** A history in which the agent measured all the time, and the tenant did nothing. */
const idle = {
  columns: async ({ metrics, points, from, to }: ColumnsQuery) => {
    const zeros = Array<number>(points).fill(0);
    return ok({
      seconds: zeros.map(() => (to - from) / 1000 / points),
      metrics: new Map(metrics.map((key) => [key, { averages: zeros, maxima: zeros }])),
    });
  },
};

describe('figures', { skip }, async () => {
  if (skip !== false) return;
  const browser = await ConsoleBrowser.start();

  test('of a new tenant begin when it did, and before that nothing is drawn', async () => {
    const stage = await hostWith(3);
    stage.history = idle;
    await using site = await browser.open(stage);
    const moment = (at: number) => `${new Date(at).toISOString().slice(0, 19)}Z`;
    const now = Date.now();
    const [from, to] = [moment(now - 30 * minute), moment(now + 30 * minute)];
    const [start, end] = [moment(now - 120 * minute), moment(now - 60 * minute)];
    const before = `#/tenants/t0001?from=${start}&to=${end}`;
    for (const width of [320, 1280] as const) {
      const view = await site.login(0, '/', { width, theme: width === 320 ? 'dark' : 'light' });
      // The history of this agent has no distributions.
      view.expected.push(/status of (?:400|500|503)/);
      await view.page.evaluate(
        (hash) => (location.hash = hash),
        `#/tenants/t0001?from=${from}&to=${to}`,
      );
      await view.shows(/Figures since \w+ \d+ at \d\d:\d\d\./);
      assert.doesNotMatch(await view.text(), /Measured for/);
      await view.check(`figures-${width}`);
      await view.page.evaluate((hash) => (location.hash = hash), before);
      await view.shows(/There are no figures yet\. They begin on/);
      await view.close();
    }
  });
});
