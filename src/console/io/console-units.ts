/**
 * The units of the console. Addresses of `<console listen="…"/>` are in a drop-in of the socket, so systemd holds the port
 * also while the front is down, and no account of this host can take it.
 */
import { existsSync, rmdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { causeOf, errnoOf } from '../../../packages/base/io/errno.ts';
import { failed, type Problem } from '../../../packages/base/problem.ts';
import { ok, type Result } from '../../../packages/base/result.ts';
import { readText } from '../../../packages/base/io/read.ts';
import { removeIfThere, replaceFile } from '../../../packages/base/io/replace-file.ts';
import type { Paths } from '../../host/paths.ts';
import { isActive, unitFile, unitPath, writeUnits } from '../../host/systemd/own-units.ts';
import { systemctl } from '../../host/systemd/systemctl.ts';
import type { ConsoleSettings } from '../../policy/elements/console-settings.ts';
import { makeFrontAccount } from './account.ts';
import { addressesOf, dropInText } from '../core/addresses.ts';

export const consoleSocketUnit = 'bulkhead-console.socket';
export const consoleServiceUnit = 'bulkhead-console.service';

type Etc = Pick<Paths, 'etc'>;

export const dropInPath = (paths: Etc): string =>
  `${unitPath(paths, consoleSocketUnit)}.d/50-bulkhead.conf`;

/** Returns the drop-in that the policy asks for; undefined for none. */
export const wantedDropIn = (settings: ConsoleSettings | undefined): string | undefined =>
  settings?.tls && dropInText(addressesOf(settings.tls.listen, existsSync('/proc/net/if_inet6')));

/** Whether systemd listens where the policy says, as far as `console enable` has written it. */
export const isCurrent = (paths: Etc, settings: ConsoleSettings | undefined): boolean =>
  readText(dropInPath(paths)) === wantedDropIn(settings);

/** Installs and enables the socket. The front starts with the first visitor. */
export async function enableConsole(
  paths: Etc,
  settings: ConsoleSettings | undefined,
): Promise<Result<void, Problem>> {
  const made = await makeFrontAccount(paths);
  if (!made.ok) return made;
  const written = writeUnits(paths, [consoleServiceUnit, consoleSocketUnit]);
  if (!written.ok) return written;
  const moved = !isCurrent(paths, settings);
  const listens = writeDropIn(paths, settings);
  if (!listens.ok) return listens;
  const changed = moved || written.value.length > 0;
  const steps = [
    () => systemctl('daemon-reload'),
    () => systemctl('enable', consoleSocketUnit),
    // systemd starts no socket while its service runs.
    ...(changed ? [() => systemctl('stop', consoleSocketUnit, consoleServiceUnit)] : []),
    () => systemctl('start', consoleSocketUnit),
  ];
  for (const step of steps) {
    const done = await step();
    if (!done.ok) return done;
  }
  return ok(undefined);
}

function writeDropIn(paths: Etc, settings: ConsoleSettings | undefined): Result<void, Problem> {
  const text = wantedDropIn(settings);
  return text === undefined ? removeDropIn(paths) : replaceFile(dropInPath(paths), text, 0o644);
}

function removeDropIn(paths: Etc): Result<void, Problem> {
  const path = dropInPath(paths);
  try {
    removeIfThere(path);
    rmdirSync(dirname(path));
  } catch (error) {
    // Another drop-in of the administrator's may be there.
    if (!['ENOENT', 'ENOTEMPTY'].includes(errnoOf(error) ?? ''))
      return failed({ action: 'remove', object: path, ...causeOf(error) });
  }
  return ok(undefined);
}

/** Stops the console, also at boot. Sessions end by themselves; the account stays. */
export async function disableConsole(paths: Etc): Promise<Result<void, Problem>> {
  const isThere = unitFile(paths, consoleSocketUnit) !== 'absent';
  const steps = isThere
    ? [
        () => systemctl('disable', '--now', consoleSocketUnit),
        () => systemctl('stop', consoleServiceUnit),
      ]
    : [];
  for (const step of steps) {
    const done = await step();
    if (!done.ok) return done;
  }
  const removed = removeDropIn(paths);
  if (!removed.ok || !isThere) return removed;
  const reloaded = await systemctl('daemon-reload');
  return reloaded.ok ? ok(undefined) : reloaded;
}

export const isEnabled = (): Promise<boolean> => isActive(consoleSocketUnit);
