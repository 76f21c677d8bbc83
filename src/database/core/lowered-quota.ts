/** The quota of a tenant to whose CPU limit the use of database servers counts: from one step to the next, a second. */
import { periodMicroseconds } from '../../limits/cpu.ts';
import { lowestQuota } from '../../limits/lowered-cpu.ts';

/** It falls by at most this part of the limit in a step. It rises at once. */
const fallPart = 1 / 4;
/** Changes below this part of the limit are not worth a write. */
const smallPart = 1 / 50;

/** Returns the next quota, in microseconds of each period. `used`: what the servers use for the tenant, in cores. */
export function nextQuota(full: number, now: number, used: number): number {
  const left = full - used * periodMicroseconds;
  if (left >= full * (1 - smallPart)) return full;
  const target = Math.floor(Math.max(lowestQuota(full), left, now - full * fallPart));
  return Math.abs(target - now) < full * smallPart ? now : target;
}
