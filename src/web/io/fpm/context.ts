/** For which version of PHP, for whose policy, and how a service gets into the cgroup of its tenant. */
import type { Paths } from '../../../host/paths.ts';
import type { Policy } from '../../../policy/policy.ts';
import type { Entry } from '../../core/fpm/service/units.ts';
import { configName, type ServiceId } from '../../core/fpm/service/units.ts';
import type { FpmProgram, WebPrograms } from '../servers.ts';
import type { Layout } from './layout.ts';

export interface FpmContext {
  readonly paths: Paths;
  readonly fpm: FpmProgram;
  /** Whose vhosts say which site a pool serves. */
  readonly web: Pick<WebPrograms, 'nginx' | 'apache'>;
  readonly layout: Layout;
  readonly policy: Policy;
  /** The policy's file, where the program that divides again would not use it by itself. */
  readonly policyFile?: string;
  readonly entryOf: (service: ServiceId) => Entry;
}

export const configPath = ({ directory }: Layout, service: ServiceId): string =>
  `${directory}/${configName(service)}`;
