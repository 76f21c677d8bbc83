/** Records the packages that accounts had last by their plans in the panel. */
import { renameSync } from 'node:fs';
import { causeOf } from '../../packages/base/io/errno.ts';
import { readText } from '../../packages/base/io/read.ts';
import { replaceStateFile } from '../../packages/base/io/replace-file.ts';
import { causedBy, failed, type Problem } from '../../packages/base/problem.ts';
import { ok, type Result } from '../../packages/base/result.ts';
import { formatLastPackages, type LastPackage } from '../policy/panel/last-packages.ts';
import type { Policy, TenantPlan } from '../policy/policy.ts';
import { parsePasswd } from './accounts/accounts.ts';
import { damagedFile, lastPackagesFile, readLastPackages } from './last-packages.ts';
import type { Paths } from './paths.ts';

/** The maximum number of recorded accounts, unless more of them have a plan now. */
const keptMax = 100_000;

/** Renames a record that cannot be read, so that a person can still look into it. */
function setAside(object: string): Result<void, Problem> {
  try {
    renameSync(object, damagedFile(object));
    return ok(undefined);
  } catch (error) {
    return failed({ action: 'set aside', object, ...causeOf(error) });
  }
}

/**
 * Records the packages of a policy, before it is in force: no account has a package by its plan that is not recorded.
 * Other accounts keep their entries, since another policy may be applied in between, or the policy may name a package
 * for an account for a while.
 */
export function keepLastPackages(
  paths: Pick<Paths, 'state' | 'etc'>,
  policy: Pick<Policy, 'tenants' | 'panel'>,
): Result<void, Problem> {
  if (policy.panel === undefined) return ok(undefined);
  const file = lastPackagesFile(paths);
  const read = readLastPackages(paths);
  const before = read.ok ? [...read.value.values()] : [];
  const text = formatLastPackages(merged(paths, planPackages(policy), before));
  if (read.ok && text === formatLastPackages(before)) return ok(undefined);
  const isFree = read.ok ? ok(undefined) : setAside(file);
  const kept = isFree.ok ? replaceStateFile(file, text) : isFree;
  const action = "record the packages of the panel's plans";
  return kept.ok ? kept : failed({ action, ...causedBy(kept.error) });
}

/** Returns the packages that the plans of a policy's tenants decide, now or last. */
export const planPackages = ({ tenants }: Pick<Policy, 'tenants'>): readonly LastPackage[] =>
  tenants.flatMap(({ uid, account, plan, package: name }) =>
    account !== undefined && name !== undefined && plan !== undefined && decides(plan.by)
      ? [{ uid, user: account.user, package: name }]
      : [],
  );

const decides = (by: TenantPlan['by']): boolean => by === 'plan' || by === 'panel' || by === 'kept';

/** Returns the packages of now, then earlier ones of accounts that may still exist, by uid. */
function merged(
  { etc }: Pick<Paths, 'etc'>,
  now: readonly LastPackage[],
  before: readonly LastPackage[],
): readonly LastPackage[] {
  const local = parsePasswd(readText(`${etc}/passwd`) ?? '');
  const uids = new Map(local.map(({ user, uid }) => [user, uid]));
  const users = Map.groupBy(local, ({ uid }) => uid);
  const current = new Set(now.map(({ uid }) => uid));
  const earlier = before.filter(({ uid, user }) => {
    const isOther = users.get(uid)?.every((each) => each.user !== user) ?? false;
    return !current.has(uid) && !isOther && (uids.get(user) ?? uid) === uid;
  });
  const kept = earlier.slice(0, Math.max(0, keptMax - now.length));
  return [...now, ...kept].sort((a, b) => a.uid - b.uid);
}
