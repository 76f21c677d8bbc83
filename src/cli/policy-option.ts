/** The option that names the policy, alike for every command. */
import { Option } from 'commander';

export const defaultPolicy = '/etc/bulkhead/policy.xml';

export function policyOption(): Option {
  return new Option('-p, --policy <file>', 'the policy to read').default(defaultPolicy);
}
