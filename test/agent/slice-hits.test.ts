/** Hits counted in a tenant's slice whose sites' slices come and go. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SliceHits } from '../../src/agent/sampling/slice-hits.ts';
import { noCounters } from '../../src/limits/limits.ts';

const site = 'u1001/s-shop.example';
const other = 'u1002/s-shop.example';
const hitsOf = (oomKills: number, forksRefused = 0) => ({ ...noCounters, oomKills, forksRefused });

test("SliceHits.add() adds hits of ended slices until the tenant's slice starts over", () => {
  const hits = new SliceHits();
  const seen = (oomKills: number) => hits.add(site, hitsOf(oomKills)).oomKills;
  assert.deepEqual([0, 3, 3, 0, 0, 2, 5, 1].map(seen), [0, 3, 3, 3, 3, 5, 8, 9]);
  assert.equal(hits.add(other, hitsOf(1)).oomKills, 1);
  hits.startOver('u1001');
  assert.equal(seen(1), 1);
  assert.equal(seen(0), 1);
  assert.equal(hits.add(other, hitsOf(0)).oomKills, 1);
  hits.forget(site);
  assert.deepEqual(hits.cgroups, [other]);
  assert.equal(seen(0), 0);
});

test('SliceHits.add() takes all counters as reset when one has gone back', () => {
  const hits = new SliceHits();
  hits.add(site, hitsOf(2, 5));
  assert.deepEqual(hits.add(site, hitsOf(0, 6)), hitsOf(2, 11));
});

test('SliceHits.add() returns the counters of the first slice unchanged', () => {
  const counters = hitsOf(4);
  assert.equal(new SliceHits().add(site, counters), counters);
});
