/** Common parts of exporting and importing a tenant's history. */
import type { Command } from 'commander';
import type { Problem } from '../../../packages/base/problem.ts';
import { capabilitiesOf, type HostSeal } from '../../cli/capability.ts';
import { exitCodes, type ExitCode } from '../../cli/shared/command.ts';
import { failWith, pathsFor } from '../../cli/shared/output.ts';
import type { Paths } from '../../host/paths.ts';

export const historyDirectoryOf = ({ state }: Paths): string => `${state}/history`;

const onlyRoot = (action: string, object: string): Problem | undefined =>
  process.geteuid?.() === 0
    ? undefined
    : { action, object, reason: 'only root may', hint: 'use sudo' };

/** The files of the instance, and the key of this host; undefined if no capability has one. */
export interface Place {
  readonly paths: Paths;
  readonly seal: HostSeal | undefined;
}

/** Runs `act` for root; prints the reason if it cannot begin. `action` and `object` are those of a problem. */
export async function asRoot(
  command: Command,
  action: string,
  object: string,
  act: (place: Place) => Promise<ExitCode>,
): Promise<ExitCode> {
  const paths = pathsFor(command);
  if (paths === undefined) return exitCodes.usage;
  const refused = onlyRoot(action, object);
  if (refused !== undefined) return failWith(refused);
  return await act({ paths, seal: await sealOf(command) });
}

async function sealOf(command: Command): Promise<HostSeal | undefined> {
  const found = capabilitiesOf(command).find(({ hostSeal }) => hostSeal !== undefined);
  return await found?.hostSeal?.();
}
