/** The tenant that `stop` and `start` are about, from a policy that may have errors by now. */
import type { Command } from 'commander';
import { pathsFor, failWith } from '../../cli/shared/session.ts';
import { defaultPolicy } from '../../cli/shared/policy-option.ts';
import type { Driver } from '../../host/driver.ts';
import type { Paths } from '../../host/paths.ts';
import { probeDriver } from '../../host/probe.ts';
import { exitCodes, type ExitCode } from '../../cli/shared/command.ts';
import type { Policy, Tenant } from '../../policy/policy.ts';
import { policyReaderOf } from '../../cli/capability.ts';

export interface StopSubject {
  readonly tenant: Tenant;
  readonly name: string;
  readonly policy: Policy;
  readonly driver: Driver;
  readonly paths: Paths;
}

/** Returns the tenant and its context, or the exit status after the reason was printed. */
export async function subjectOf(
  command: Command,
  name: string,
  file: string = defaultPolicy,
): Promise<StopSubject | ExitCode> {
  const paths = pathsFor(command);
  if (paths === undefined) return exitCodes.usage;
  if (process.geteuid?.() !== 0)
    return failWith({
      action: 'stop or start a tenant',
      reason: 'only root may',
      hint: 'use sudo',
    });
  const reader = await policyReaderOf(command);
  const named = reader.load(file, paths);
  // A mistake in the file must not get in the way of an emergency.
  const policy = named.policy ?? reader.load(`${paths.state}/policy-in-force.xml`, paths).policy;
  if (policy === undefined) {
    const reason = named.problem?.reason ?? 'it has errors; "bulkhead check" lists them';
    return failWith({ action: 'read the policy', object: file, reason });
  }
  const tenant = policy.tenants.find(
    ({ uid, account }) => account?.user === name || String(uid) === name,
  );
  if (tenant === undefined) {
    const hint = 'sites and resellers cannot be stopped; "bulkhead status --all" lists tenants';
    return failWith({
      action: 'find the tenant',
      object: name,
      reason: `${file} has none of that name`,
      hint,
    });
  }
  const driver = probeDriver(paths, policy.driver);
  if (!driver.ok) return failWith(driver.error);
  const shown = tenant.account?.user ?? `uid ${tenant.uid}`;
  return { tenant, name: shown, policy, driver: driver.value, paths };
}
