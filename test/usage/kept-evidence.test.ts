/** Evidence between the snapshots of an incident: it is in the next one, and it is bounded. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { KeptEvidence } from '../../src/usage/incident-log.ts';

const links = (...names: readonly string[]) => ({
  kind: 'links',
  items: names.map((name) => ({ name })),
});

test('KeptEvidence.add() collects items per incident until take() returns them', () => {
  const [kept, one, other] = [new KeptEvidence(), {}, {}];
  kept.add(one, links('a'));
  kept.add(one, links('b', 'c'));
  kept.add(other, links('d'));
  assert.deepEqual(kept.take(one), links('a', 'b', 'c'));
  assert.equal(kept.take(one), undefined);
  assert.equal(kept.has(one), false);
  assert.deepEqual(kept.take(other), links('d'));
});

test('KeptEvidence.add() keeps nothing when there are no items', () => {
  const [kept, one] = [new KeptEvidence(), {}];
  kept.add(one, links());
  assert.equal(kept.has(one), false);
});

test('KeptEvidence.add() keeps the first twenty items, and only those of the first kind', () => {
  const [kept, one] = [new KeptEvidence(), {}];
  const names = Array.from({ length: 30 }, (_, index) => `${index}`);
  kept.add(one, links('first'));
  kept.add(one, { kind: 'tries', items: [{ tried: 'x' }] });
  for (const name of names) kept.add(one, links(name));
  assert.deepEqual(kept.take(one), links('first', ...names.slice(0, 19)));
  kept.add(one, links(...names));
  assert.deepEqual(kept.take(one), links(...names.slice(0, 20)));
});
