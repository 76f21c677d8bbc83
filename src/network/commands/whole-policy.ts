/** The steps that `network` commands share: root, the policy, and a tenant in it. */
import type { Command } from 'commander';
import { policyReaderOf } from '../../cli/capability.ts';
import { exitCodes, type ExitCode } from '../../cli/shared/command.ts';
import { failWith, pathsFor, printError } from '../../cli/shared/output.ts';
import { suggestion } from '../../policy/diagnostic.ts';
import type { Paths } from '../../host/paths.ts';
import { findTenant, type Policy, type Tenant } from '../../policy/policy.ts';

export interface NetworkOptions {
  readonly policy: string;
  readonly json?: boolean;
}

export interface Asked {
  readonly paths: Paths;
  readonly policy: Policy;
}

/** Returns the policy, or the exit code after the reason has been printed. `action`: `try network rules`. */
export async function askedAsRoot(
  command: Command,
  file: string,
  action: string,
): Promise<Asked | ExitCode> {
  const paths = pathsFor(command);
  if (paths === undefined) return exitCodes.usage;
  if (process.geteuid?.() !== 0)
    return failWith({ action, reason: 'only root may', hint: 'run it as root' });
  const { policy, diagnostics } = (await policyReaderOf(command)).load(file, paths);
  if (policy !== undefined) return { paths, policy };
  for (const each of diagnostics) printError(each.message);
  const reason = 'there is no valid policy';
  return failWith({ action, object: file, reason, hint: 'run "bulkhead check"' });
}

/** Returns the tenant, or the exit code after the reason has been printed. */
export function askedTenant(policy: Policy, name: string, action: string): Tenant | ExitCode {
  const tenant = findTenant(policy, name);
  if (tenant !== undefined) return tenant;
  const names = policy.tenants.map((each) => each.account?.user ?? String(each.uid));
  const reason = `it is not a tenant of ${policy.file}${suggestion(name, names)}`;
  return failWith({ action, object: name, reason });
}
