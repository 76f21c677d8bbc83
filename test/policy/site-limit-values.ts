/** Limits of a site as tenants set them. */
import type { LimitKey } from '../../src/limits/limit.ts';
import type { CpuFraction, Quantity } from '../../packages/base/quantity.ts';
import type { SiteLimits } from '../../src/policy/sites/site-limits.ts';

export const half = 0.5 as CpuFraction;
export const set = (...pairs: readonly (readonly [LimitKey, Quantity])[]) => new Map(pairs);
export const shop = (...pairs: readonly (readonly [LimitKey, Quantity])[]): SiteLimits =>
  new Map([['shop.example', set(...pairs)]]);
