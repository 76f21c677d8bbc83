/** How many sites somebody may set limits of. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { withChange, type SiteChange } from '../../src/agent/changes/wanted-change.ts';
import type { CpuFraction } from '../../packages/base/quantity.ts';
import {
  limitedSitesMax,
  servedSitesMax,
  type SiteLimits,
} from '../../src/policy/sites/site-limits.ts';

const half = new Map([['cpu.limit', 0.5 as CpuFraction] as const]);
const change: SiteChange = half;
const sites = (count: number, prefix = 's'): SiteLimits =>
  new Map(Array.from({ length: count }, (_, index) => [`${prefix}${index}`, half]));
const refusal = (...of: Parameters<typeof withChange>) => {
  const changed = withChange(...of);
  return changed.ok ? undefined : changed.error.reason;
};

test('withChange() keeps other sites, and leaves out a site without limits', () => {
  const before = sites(2);
  const added = withChange(before, 'new', change, new Set());
  assert.deepEqual(added.ok && [...added.value.keys()], ['s0', 's1', 'new']);
  const removed = withChange(before, 's0', new Map([['cpu.limit', undefined]]), new Set());
  assert.deepEqual(removed.ok && [...removed.value.keys()], ['s1']);
});

test('withChange() refuses more than 200 sites, or 50 that the policy does not have', () => {
  const written = new Set(sites(limitedSitesMax + 1).keys());
  const last = `s${limitedSitesMax}`;
  assert.equal(refusal(sites(limitedSitesMax - 1), last, change, written), undefined);
  assert.match(refusal(sites(limitedSitesMax), last, change, written) ?? '', /of 200 sites$/);
  const full = sites(servedSitesMax, 'v');
  assert.equal(refusal(sites(servedSitesMax - 1, 'v'), 'new', change, written), undefined);
  assert.match(refusal(full, 'new', change, written) ?? '', /of 50 sites that the policy/);
  // Existing sites can be changed and removed, and the policy's sites have a limit of their own.
  assert.equal(refusal(full, 'v0', change, written), undefined);
  assert.equal(refusal(full, 's0', change, written), undefined);
});
