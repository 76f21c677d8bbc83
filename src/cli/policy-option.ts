/** The option that names the policy, alike for every command. */
import { Option, type Command } from 'commander';

export const defaultPolicy = '/etc/bulkhead/policy.xml';

export function policyOption(): Option {
  return new Option('-p, --policy <file>', 'the policy to read').default(defaultPolicy);
}

/** Whether the command line names a policy, be it the usual one. */
export const namesPolicy = (command: Command): boolean =>
  command.getOptionValueSource('policy') !== 'default';
