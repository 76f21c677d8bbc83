import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { printLimit, propose } from '../../src/usage/advise.ts';

const mebibyte = 2 ** 20;

describe('propose()', () => {
  test('adds a tenth to what was seen, and rounds up to what people write', () => {
    assert.deepEqual(propose('cpu.limit', { p99: 0.31, max: 1.01 }, 2), {
      never: 1.2,
      onePercent: 0.4,
    });
    const memory = propose('memory.limit', { p99: 90 * mebibyte, max: 300 * mebibyte }, undefined);
    assert.equal(printLimit('memory.limit', memory.never), '384MiB');
    assert.equal(printLimit('memory.limit', memory.onePercent), '128MiB');
  });

  test('proposes half as much again where a use stood at its limit', () => {
    assert.equal(propose('cpu.limit', { p99: 0.2, max: 1 }, 1).never, 1.5);
    assert.equal(propose('processes.limit', { p99: 99, max: 100 }, 100).onePercent, 160);
  });

  test('proposes nothing that would mean no limit, and never more for 1 % than for never', () => {
    assert.equal(printLimit('cpu.limit', propose('cpu.limit', { p99: 0, max: 0 }, 1).never), '10%');
    const { never, onePercent } = propose('io.reads', { p99: 990, max: 1000 }, 1000);
    assert.ok(onePercent <= never);
  });
});
