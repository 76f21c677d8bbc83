/**
 * The agent's part for stopped tenants. If the placer moves a process into such a tenant's cgroup, however it was
 * started, it is ended with the next tick, or frozen at once.
 */
import type { Log } from '../../agent/log.ts';
import type { AgentPart } from '../../agent/part.ts';
import type { Driver } from '../../host/driver.ts';
import type { Paths } from '../../host/paths.ts';
import { probeDriver } from '../../host/probe.ts';
import { readStops, stopText, type Stop } from '../../host/stops.ts';
import { tenantCgroup } from '../../plan/wanted.ts';
import type { Policy, Tenant } from '../../policy/policy.ts';
import { printable } from '../../../packages/base/printable.ts';
import { setFrozen, sweepTenant } from './kill-tenant.ts';
import { isFormer } from './stop-policy.ts';

export function stopPart(paths: Paths, log: Log): AgentPart {
  let policy: Policy | undefined;
  let driver: Driver | undefined;
  let known: ReadonlyMap<number, Stop> = new Map();
  const nameOf = ({ uid, user }: Stop) => (user === '' ? `uid ${uid}` : printable(user));
  const tell = (stops: ReadonlyMap<number, Stop>) => {
    for (const [uid, stop] of stops)
      if (known.get(uid)?.at !== stop.at)
        log.warn(`${nameOf(stop)} is ${printable(stopText(stop))}`);
    for (const [uid, stop] of known)
      if (!stops.has(uid)) log.warn(`${nameOf(stop)} is not stopped any more`);
    known = stops;
  };
  const hold = (tenant: Tenant, stop: Stop, by: Driver) => {
    if (stop.frozen) {
      setFrozen(by, tenantCgroup(tenant), true);
      return;
    }
    const ended = sweepTenant(by, tenant);
    if (ended > 0)
      log.warn(`${nameOf(stop)} is stopped: ended ${ended} processes of it that had started`);
  };
  return {
    adopt(adopted) {
      policy = adopted;
      driver?.[Symbol.dispose]();
      driver = undefined;
    },
    afterTick() {
      const stops = readStops(paths);
      tell(stops);
      if (stops.size === 0 || policy === undefined) return;
      if (driver === undefined) {
        const probed = probeDriver(paths, policy.driver);
        if (!probed.ok) return;
        driver = probed.value;
      }
      for (const tenant of policy.tenants) {
        const stop = stops.get(tenant.uid);
        if (stop !== undefined && !isFormer(stop, policy)) hold(tenant, stop, driver);
      }
    },
  };
}
