/**
 * Disk quotas: a user's limits on the file system of its home.
 *
 * Only what a policy limits is touched, since administrators set quotas by other means too; what
 * Bulkhead set once and no policy wants any more is lifted (`lifted`).
 */
import { unlimited, type Quantity } from '../units/quantity.ts';
import { nameOf, type Policy } from '../policy/policy.ts';

/** `undefined` is no limit. Quotas count blocks of 1 KiB. */
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

export function wantedQuotas(policy: Policy, context: QuotaContext): readonly WantedQuota[] {
  const wanted = policy.tenants.flatMap((tenant): WantedQuota[] => {
    const space = tenant.values['disk.space'];
    const files = tenant.values['disk.files'];
    if ((space ?? files) === undefined || tenant.account === undefined) return [];
    const mountPoint = context.quotaMountOf(tenant.account.home);
    if (mountPoint === undefined) return [];
    const spaceBytes = bounded(space);
    return [
      {
        uid: tenant.uid,
        mountPoint,
        label: `tenant ${nameOf(tenant)}`,
        spaceBytes: spaceBytes && Math.floor(spaceBytes / blockBytes) * blockBytes,
        files: bounded(files),
      },
    ];
  });
  return [...wanted, ...lifted(wanted, context.alreadySet)];
}

const bounded = (value: Quantity | undefined) => (value === unlimited ? undefined : value);

function lifted(wanted: readonly WantedQuota[], set: readonly QuotaPlace[]): WantedQuota[] {
  const kept = new Set(wanted.map(placeKey));
  return set
    .filter((place) => !kept.has(placeKey(place)))
    .map((place) => ({
      ...place,
      label: `uid ${place.uid}`,
      spaceBytes: undefined,
      files: undefined,
    }));
}

export const placeKey = ({ uid, mountPoint }: QuotaPlace) => `${uid} ${mountPoint}`;
