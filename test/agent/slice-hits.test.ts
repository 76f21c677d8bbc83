/** Hits counted in a tenant's slice whose sites' slices come and go. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SliceHits } from '../../src/agent/sampling/slice-hits.ts';
import { noCounters } from '../../src/limits/limits.ts';

const site = 'u1001/s-shop.example';
const other = 'u1002/s-shop.example';
const hitsOf = (oomKills: number, forksRefused = 0) => ({ ...noCounters, oomKills, forksRefused });

test('hits in slices that have ended are remembered while that of the tenant is the same', () => {
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

test('a counter that went back tells that all of them did', () => {
  const hits = new SliceHits();
  hits.add(site, hitsOf(2, 5));
  assert.deepEqual(hits.add(site, hitsOf(0, 6)), hitsOf(2, 11));
});

test('counters of a slice that is the first are given back as they are', () => {
  const counters = hitsOf(4);
  assert.equal(new SliceHits().add(site, counters), counters);
});
