/** Ticks and hours as the store must have them. */
import assert from 'node:assert/strict';
import { DatabaseSync } from 'node:sqlite';

export const near = (actual: number, expected: number, share = 0.001) => {
  const max = Math.abs(expected) * share + 1e-9;
  assert.ok(Math.abs(actual - expected) <= max, `${actual} is not ${expected} within ${share}`);
};

export const rows = (directory: string, sql: string) => {
  const db = new DatabaseSync(`${directory}/metrics.db`, { readOnly: true });
  try {
    return db.prepare(sql).all();
  } finally {
    db.close();
  }
};

/** Returns a generator of random numbers that are the same in every run. */
export function mulberry(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
