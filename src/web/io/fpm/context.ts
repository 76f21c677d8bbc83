/**
 * The PHP version and the policy that the services of tenants are made for, and how a service enters
 * its tenant's cgroup.
 */
import type { Paths } from '../../../host/paths.ts';
import type { Policy } from '../../../policy/policy.ts';
import type { ServiceEntry } from '../../core/fpm/service/units.ts';
import { configName, type ServiceId } from '../../core/fpm/service/units.ts';
import type { FpmProgram, WebPrograms } from '../servers.ts';
import type { FpmLayout } from './layout.ts';

export interface FpmContext {
  readonly paths: Paths;
  readonly fpm: FpmProgram;
  /** The other builds of PHP of this host. */
  readonly others?: readonly FpmProgram[];
  /** Web servers whose vhosts show which site a pool serves. */
  readonly web: Pick<WebPrograms, 'nginx' | 'apache'>;
  readonly layout: FpmLayout;
  readonly policy: Policy;
  /** The policy file, if the program that divides again would not use it by default. */
  readonly policyFile?: string;
  readonly entryOf: (service: ServiceId) => ServiceEntry;
}

export const configPath = ({ directory }: FpmLayout, service: ServiceId): string =>
  `${directory}/${configName(service)}`;
