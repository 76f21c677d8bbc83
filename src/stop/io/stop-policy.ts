/** A stop applies to the account that had the uid: with another policy or another account it is forgotten. */
import type { Problem } from '../../../packages/base/problem.ts';
import { ok, type Result } from '../../../packages/base/result.ts';
import type { Paths } from '../../host/paths.ts';
import { readStops, type Stop } from '../../host/stops.ts';
import type { Policy } from '../../policy/policy.ts';
import { forgetStop } from './stop-tenant.ts';

export function isFormer({ uid, user }: Stop, { tenants }: Policy): boolean {
  const tenant = tenants.find((each) => each.uid === uid);
  return tenant === undefined || (user !== '' && tenant.account?.user !== user);
}

async function forget(paths: Paths, stops: readonly Stop[]): Promise<readonly Problem[]> {
  const done = await Promise.all(stops.map((stop) => forgetStop(paths, stop)));
  return done.flatMap((each) => (each.ok ? [] : [each.error]));
}

async function apply(policy: Policy, paths: Paths): Promise<Result<readonly Problem[], Problem>> {
  const stops = [...readStops(paths).values()];
  return ok(
    await forget(
      paths,
      stops.filter((each) => isFormer(each, policy)),
    ),
  );
}

export const stopPolicy = {
  apply,
  release: (paths: Paths) => forget(paths, [...readStops(paths).values()]),
};
