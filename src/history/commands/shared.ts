/** Common parts of exporting and importing a tenant's history. */
import type { Command } from 'commander';
import type { Problem } from '../../../packages/base/problem.ts';
import { capabilitiesOf, type HostSeal } from '../../cli/capability.ts';
import type { Paths } from '../../host/paths.ts';

export const historyDirectoryOf = ({ state }: Paths): string => `${state}/history`;

export const onlyRoot = (action: string, object: string): Problem | undefined =>
  process.geteuid?.() === 0
    ? undefined
    : { action, object, reason: 'only root may', hint: 'use sudo' };

/** Returns the key of this host; undefined if no capability has one. */
export async function sealOf(command: Command): Promise<HostSeal | undefined> {
  const found = capabilitiesOf(command).find(({ hostSeal }) => hostSeal !== undefined);
  return await found?.hostSeal?.();
}
