/**
 * Disk quotas: a user's limits on the file system of its home.
 *
 * Only quotas that the policy sets are touched, since administrators set quotas by other means, too. A quota set
 * by Bulkhead is removed only if the tenant, or its `<disk>`, is removed from the policy. If a file system is not
 * found now, or has no quotas now, the quota is left as it is.
 */
import { unlimited, type Quantity } from '../base/quantity.ts';
import { nameOf, type Policy, type Tenant } from '../policy/policy.ts';

/** `undefined`: no limit. Quotas count blocks of 1 KiB. */
export interface QuotaLimits {
  readonly spaceBytes: number | undefined;
  readonly files: number | undefined;
}

export interface QuotaPlace {
  readonly uid: number;
  readonly mountPoint: string;
}

export interface WantedQuota extends QuotaPlace, QuotaLimits {
  readonly label: string;
}

export interface QuotaContext {
  /** The file system of a directory, if user quotas are on there. */
  readonly quotaMountOf: (directory: string) => string | undefined;
  /** Where Bulkhead has set quotas before. */
  readonly alreadySet: readonly QuotaPlace[];
}

const blockBytes = 1024;

export interface WantedQuotas {
  readonly quotas: readonly WantedQuota[];
  /** Set earlier on a file system that is not that of the home now, for tenants that still have limits. */
  readonly quotasLeft: readonly QuotaPlace[];
}

export function wantedQuotas(policy: Policy, context: QuotaContext): WantedQuotas {
  const limited = policy.tenants.filter(isLimited);
  const wanted = limited.flatMap((tenant) => wantedQuota(tenant, context));
  const places = new Set(wanted.map(placeKey));
  const uids = new Set(limited.map((each) => each.uid));
  const others = context.alreadySet.filter((place) => !places.has(placeKey(place)));
  const { left = [], lifted = [] } = Object.groupBy(others, ({ uid }) =>
    uids.has(uid) ? 'left' : 'lifted',
  );
  return { quotas: [...wanted, ...lifted.map(lift)], quotasLeft: left };
}

const isLimited = ({ values }: Tenant) =>
  (values['disk.space'] ?? values['disk.files']) !== undefined;

function wantedQuota(tenant: Tenant, context: QuotaContext): readonly WantedQuota[] {
  const { account, uid, values } = tenant;
  const mountPoint = account && context.quotaMountOf(account.home);
  if (mountPoint === undefined) return [];
  const spaceBytes = bounded(values['disk.space']);
  return [
    {
      uid,
      mountPoint,
      label: `tenant ${nameOf(tenant)}`,
      spaceBytes: spaceBytes && Math.floor(spaceBytes / blockBytes) * blockBytes,
      files: bounded(values['disk.files']),
    },
  ];
}

const bounded = (value: Quantity | undefined) => (value === unlimited ? undefined : value);

const lift = (place: QuotaPlace): WantedQuota => ({
  ...place,
  label: `uid ${place.uid}`,
  spaceBytes: undefined,
  files: undefined,
});

export const placeKey = ({ uid, mountPoint }: QuotaPlace) => `${uid} ${mountPoint}`;
