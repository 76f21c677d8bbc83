/** The number of processes that a stop has ended, also where the agent was faster. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Driver } from '../../src/host/driver.ts';
import { killTenant } from '../../src/stop/io/kill-tenant.ts';
import type { Tenant } from '../../src/policy/policy.ts';

test('killTenant() counts processes that somebody else has ended meanwhile', () => {
  const driver = {
    processes: () => [],
    ownerOf: () => ({ uid: 1001 }),
    tree: { hierarchies: [] },
  } as unknown as Driver;
  const tenant = { uid: 1001, chain: [], values: {} } as unknown as Tenant;
  const ended = killTenant(driver, tenant, () => [], [4_000_001, 4_000_002]);
  assert.deepEqual(ended, { killed: 2, left: [], others: [] });
});
