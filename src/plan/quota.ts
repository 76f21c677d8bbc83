/**
 * Disk quotas: a user's limits on the file system of its home.
 *
 * Bulkhead changes only quotas that the policy sets, space and number of files separately, since administrators set
 * quotas by other means, too. Once the tenant, or that part of its `<disk>`, is removed from the policy, Bulkhead
 * restores the earlier value. If the file system is missing or has no quotas now, the quota stays as it is.
 */
import { unlimited, type Quantity } from '../../packages/base/quantity.ts';
import { nameOf, type Policy, type Tenant } from '../policy/policy.ts';

/** `undefined`: no limit. Quotas count blocks of 1 KiB. */
export interface QuotaLimits {
  /** The limit on disk space, in bytes. */
  readonly spaceBytes: number | undefined;
  /** The limit on the number of files. */
  readonly files: number | undefined;
}

export interface QuotaPlace {
  readonly uid: number;
  readonly mountPoint: string;
}

/** A quota's limits; of space in bytes. A soft limit may be exceeded for some days. */
export interface QuotaLimit {
  readonly hard: number | undefined;
  readonly soft: number | undefined;
}

export interface QuotaRecord {
  readonly space?: QuotaLimit;
  readonly files?: QuotaLimit;
}

export interface RecordedQuota extends QuotaPlace {
  /** The values before Bulkhead changed them. */
  readonly before: QuotaRecord;
}

/** A wanted limit; `kept`: the policy does not set it. */
type WantedLimit = number | undefined | 'kept';

export interface WantedQuota extends QuotaPlace {
  readonly label: string;
  readonly spaceBytes: WantedLimit;
  readonly files: WantedLimit;
  /** The parts that the policy sets. The rest stays as it is or is restored. */
  readonly held: readonly (keyof QuotaRecord)[];
}

export interface QuotaContext {
  /** Returns the file system of a directory, if user quotas are enabled there. */
  readonly quotaMountOf: (directory: string) => string | undefined;
  /** The places where Bulkhead has set quotas before. */
  readonly alreadySet: readonly RecordedQuota[];
}

const blockBytes = 1024;

export interface WantedQuotas {
  readonly quotas: readonly WantedQuota[];
  /**
   * Quotas that Bulkhead set on another file system than the home's current one, for tenants that still have limits.
   */
  readonly quotasLeft: readonly RecordedQuota[];
}

export function wantedQuotas(policy: Policy, context: QuotaContext): WantedQuotas {
  const limited = policy.tenants.filter(isLimited);
  const wanted = limited.flatMap((tenant) => wantedQuota(tenant, context));
  const places = new Set(wanted.map(quotaKey));
  const uids = new Set(limited.map((each) => each.uid));
  const others = context.alreadySet.filter((place) => !places.has(quotaKey(place)));
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
  const { 'disk.space': space, 'disk.files': files } = values;
  const known = context.alreadySet.find((each) => quotaKey(each) === quotaKey({ uid, mountPoint }));
  const spaceBytes = bounded(space);
  return [
    {
      uid,
      mountPoint,
      label: `tenant ${nameOf(tenant)}`,
      spaceBytes:
        space === undefined
          ? restored(known?.before.space)
          : spaceBytes && Math.floor(spaceBytes / blockBytes) * blockBytes,
      files: files === undefined ? restored(known?.before.files) : bounded(files),
      held: [
        ...(space === undefined ? [] : (['space'] as const)),
        ...(files === undefined ? [] : (['files'] as const)),
      ],
    },
  ];
}

const bounded = (value: Quantity | undefined) => (value === unlimited ? undefined : value);

const restored = (before: QuotaLimit | undefined): WantedLimit =>
  before === undefined ? 'kept' : before.hard;

const lift = ({ uid, mountPoint, before }: RecordedQuota): WantedQuota => ({
  uid,
  mountPoint,
  label: `uid ${uid}`,
  spaceBytes: restored(before.space),
  files: restored(before.files),
  held: [],
});

export const quotaKey = ({ uid, mountPoint }: QuotaPlace) => `${uid} ${mountPoint}`;
