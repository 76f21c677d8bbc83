/** Services of tenants for whom nobody has written a pool. */
import { formatCause } from '../../../../packages/base/problem.ts';
import { webGroups } from '../../../layouts/layouts.ts';
import type { ServiceChoice } from '../../core/fpm/service/choice.ts';
import { ownPool, ownSocket } from '../../core/fpm/service/config.ts';
import { listenOf } from '../../core/fpm/service/listen.ts';
import {
  byUidAndSite,
  type SplitService,
  type ServicePool,
  type ServiceTenant,
  type Split,
} from '../../core/fpm/service/split.ts';
import type { HostView } from './facts.ts';

export function withOwnPools(
  { services }: Split,
  choice: ServiceChoice,
  { tenants, gidOf }: HostView,
  php: string,
): readonly SplitService[] {
  const served = new Set(services.map(({ tenant }) => tenant.uid));
  const webGroup = webGroups.find((each) => gidOf(each) !== undefined) ?? 'root';
  const own = tenants
    .filter(({ uid }) => choice.own.has(uid) && !served.has(uid))
    .map((tenant) => ownService(tenant, php, webGroup));
  return [...services, ...own].sort(byUidAndSite);
}

function ownService(tenant: ServiceTenant, php: string, webGroup: string): SplitService {
  const text = ownPool(tenant, php, webGroup);
  const listen = listenOf(ownSocket(tenant.user, php));
  if (!listen.ok) throw new Error(formatCause(listen.error));
  const pool: ServicePool = {
    name: `bulkhead-${tenant.user}`,
    listen: listen.value,
    owner: 'root',
    group: webGroup,
    mode: '0660',
    backlog: 511,
    pm: 'dynamic',
  };
  const path = "a pool of Bulkhead's own";
  return {
    tenant,
    pools: [pool],
    files: [{ path, text, isPublic: true, sections: [], includes: [] }],
  };
}
