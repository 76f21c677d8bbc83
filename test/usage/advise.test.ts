import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { advised, formatLimit, propose, adviceReason } from '../../src/usage/advise.ts';

const mebibyte = 2 ** 20;

describe('propose()', () => {
  test('adds a tenth to the highest use, and rounds up to a customary value', () => {
    assert.deepEqual(propose('cpu.limit', { p99: 0.31, max: 1.01 }, 2), {
      never: 1.2,
      onePercent: 0.4,
    });
    const memory = propose('memory.limit', { p99: 90 * mebibyte, max: 300 * mebibyte }, undefined);
    assert.equal(formatLimit('memory.limit', memory.never), '384MiB');
    assert.equal(formatLimit('memory.limit', memory.onePercent), '128MiB');
  });

  test('adds half of the limit or more when use was at the limit', () => {
    assert.equal(propose('cpu.limit', { p99: 0.2, max: 1 }, 1).never, 1.5);
    assert.equal(propose('processes.limit', { p99: 99, max: 100 }, 100).onePercent, 160);
  });

  test('is above the value at which a limit was hit when use was lower', () => {
    const memory = propose('memory.limit', { p99: 0, max: 30 * mebibyte }, 128 * mebibyte, {
      count: 14,
      at: 128 * mebibyte,
    });
    assert.equal(formatLimit('memory.limit', memory.never), '192MiB');
    assert.equal(formatLimit('memory.limit', memory.onePercent), '192MiB');
    const cpu = propose('cpu.limit', { p99: 0.05, max: 0.09 }, 0.25, { count: 3, at: 0.25 });
    assert.equal(formatLimit('cpu.limit', cpu.never), '40%');
  });

  test('is above use when a limit was hit below that and has been raised since', () => {
    const hit = { count: 2, at: 128 * mebibyte };
    const { never } = propose('memory.limit', { p99: 0, max: 900 * mebibyte }, undefined, hit);
    assert.equal(formatLimit('memory.limit', never), '1GiB');
  });

  test('is never at or below a hit or the highest use, for 20,000 random inputs', () => {
    let seed = 1;
    const random = () => (seed = (seed * 48_271) % 2_147_483_647) / 2_147_483_647;
    for (let round = 0; round < 20_000; round++) {
      const [key] = advised[Math.floor(random() * advised.length)] ?? (['cpu.limit'] as const);
      const value = () => 10 ** (random() * (key === 'cpu.limit' ? 3 : 12) - 1);
      const max = value();
      const seen = { p99: max * random(), max };
      const limit = random() < 0.3 ? undefined : value();
      const hit =
        random() < 0.3 ? undefined : { count: 1, at: random() < 0.2 ? undefined : value() };
      const { never, onePercent } = propose(key, seen, limit, hit);
      const about = `${key} ${JSON.stringify({ seen, limit, hit, never, onePercent })}`;
      assert.ok(onePercent <= never, about);
      assert.ok(never > seen.max && onePercent > seen.p99, about);
      if (hit?.at !== undefined) assert.ok(onePercent > hit.at, about);
      if (limit !== undefined && seen.max >= limit) assert.ok(never > limit, about);
      const less = propose(key, seen, limit);
      assert.ok(less.never <= never && less.onePercent <= onePercent, about);
    }
  });

  test('adviceReason() gives the number of hits, the limit hit, and what is unknown', () => {
    assert.equal(
      adviceReason('memory.limit', { count: 14, at: 128 * mebibyte }),
      'hit 14 times at 128MiB: more is needed; how much is unknown until it is raised',
    );
    assert.match(
      adviceReason('memory.limit', { count: 1, at: undefined }),
      /^hit once without a limit/,
    );
  });

  test('is never 0, and never higher for 1 % of hits than for no hits', () => {
    assert.equal(
      formatLimit('cpu.limit', propose('cpu.limit', { p99: 0, max: 0 }, 1).never),
      '10%',
    );
    const { never, onePercent } = propose('io.reads', { p99: 990, max: 1000 }, 1000);
    assert.ok(onePercent <= never);
  });
});
