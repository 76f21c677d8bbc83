/** Differences between the policy and the kernel, for people. */
import type { StatusResponse } from '../../../agent/api/status-response.ts';
import { planPolicy } from '../../../apply/apply.ts';
import type { Driver } from '../../../host/driver.ts';
import { formatQuota, formatUnit, formatValue } from '../../../plan/format.ts';
import type { Operation } from '../../../plan/operations.ts';
import type { Policy } from '../../../policy/policy.ts';

/** Returns a line for each value; none for a slice that is only left to systemd. */
export const driftLines = (operation: Operation): readonly string[] =>
  describeDrift(operation)
    .split('\n')
    .filter((line) => line !== '');

/** Describes an operation as the problem rather than the planned change. */
export function describeDrift(operation: Operation): string {
  switch (operation.kind) {
    case 'prepare':
      return `missing: ${operation.summary}`;
    case 'create':
      return `${operation.label} has no cgroup in ${operation.hierarchies.join(', ')}`;
    case 'write': {
      const { file, device, from, to, note } = operation;
      const what = note === undefined ? '' : ` (${note})`;
      const where = device === undefined ? file : `${file} ${device}`;
      return `${operation.label}: ${where} is ${formatValue(file, from)}, the policy requires ${formatValue(file, to)}${what}`;
    }
    case 'move':
      return `${operation.label} still has its cgroup at ${operation.from}`;
    case 'quota':
      return `${operation.label}: the quota on ${operation.mountPoint} is ${formatQuota(operation.from)}, the policy requires ${formatQuota(operation.to)}`;
    case 'unit':
      return operation.from === undefined
        ? `${operation.label}: ${operation.path} is missing`
        : `${operation.label}: the policy requires ${formatUnit(operation)}`;
    case 'reload':
      return 'systemd has not read its files since they were written';
    case 'realize':
      return operation.writes.map(describeDrift).join('\n');
    case 'remove':
      if (operation.unit !== undefined) {
        return `${operation.unit} has limits but belongs to no tenant of the policy`;
      }
      return `cgroup ${operation.cgroup} belongs to no tenant of the policy`;
  }
}

/**
 * Returns the values that somebody else has changed since the agent applied the policy. Undefined if that is unknown: no
 * agent says that the policy is in force.
 */
export function changedByOthers(
  policy: Policy | undefined,
  driver: Driver,
  agent: StatusResponse | undefined,
): readonly string[] | undefined {
  if (policy === undefined || agent?.policy.state !== 'in force') return undefined;
  return planPolicy(policy, driver).operations.filter(wasThere).flatMap(driftLines);
}

/** Whether the operation changes a value that the agent has set before, rather than one that is not there yet. */
function wasThere(operation: Operation): boolean {
  if (operation.kind === 'quota' || operation.kind === 'realize') return true;
  return (operation.kind === 'write' || operation.kind === 'unit') && operation.from !== undefined;
}
