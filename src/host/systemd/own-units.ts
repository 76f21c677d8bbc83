/**
 * The units that Bulkhead installs for systemd, from the package's own copies. They name the path of the program that
 * installs them: a clone has none in the PATH. If a distribution's package has installed them, nothing is copied.
 */
import { existsSync, readFileSync } from 'node:fs';
import { failed, type Problem } from '../../../packages/base/problem.ts';
import { ok, type Result } from '../../../packages/base/result.ts';
import { causeOf } from '../../../packages/base/io/errno.ts';
import { readText } from '../../../packages/base/io/read.ts';
import { removeIfThere, replaceFile } from '../../../packages/base/io/replace-file.ts';
import { packageFile } from '../../sys/package-files.ts';
import type { Paths } from '../paths.ts';
import { startOwnUnit, stopTemplateSlice, systemctl } from './systemctl.ts';

export interface OwnUnit {
  readonly name: string;
  /**
   * `enabled`: it starts at boot. `called`: others start it. `chosen`: it starts at boot once a command of its own
   * enables it.
   */
  readonly use: 'enabled' | 'called' | 'chosen';
}

/** The units in start order; the agent last, since it looks for the others. */
export const ownUnits: readonly OwnUnit[] = [
  { name: 'bulkhead-entries.service', use: 'called' },
  { name: 'bulkhead-sites.service', use: 'called' },
  { name: 'bulkhead-panel.service', use: 'called' },
  { name: 'bulkhead-digest.service', use: 'called' },
  { name: 'bulkhead-console.service', use: 'called' },
  { name: 'bulkhead-console.socket', use: 'chosen' },
  { name: 'bulkhead-fleet-pull.service', use: 'called' },
  { name: 'bulkhead-fleet-pull.timer', use: 'chosen' },
  { name: 'bulkhead-fleet.service', use: 'chosen' },
  { name: 'bulkhead-fleet-server.service', use: 'chosen' },
  { name: 'bulkhead-history-push.service', use: 'called' },
  { name: 'bulkhead-history-push.timer', use: 'chosen' },
  { name: 'bulkhead-broker@.service', use: 'called' },
  { name: 'bulkhead-broker.socket', use: 'enabled' },
  { name: 'bulkhead-symlinks.service', use: 'enabled' },
  { name: 'bulkhead-placement.service', use: 'enabled' },
  { name: 'bulkhead-jail.service', use: 'enabled' },
  { name: 'bulkhead.socket', use: 'enabled' },
  { name: 'bulkhead.service', use: 'enabled' },
];

export const agentUnit = 'bulkhead.service';
export const agentSocket = 'bulkhead.socket';

const mark = '# Installed by "bulkhead units enable"; "bulkhead units disable" removes it.\n';
/** Matches a path that a unit file takes without quoting. */
const plainPath = /^[A-Za-z0-9/._@+-]+$/;

export const unitPath = ({ etc }: Pick<Paths, 'etc'>, name: string): string =>
  `${etc}/systemd/system/${name}`;

/** Whether a distribution's package has installed the unit. */
const packaged = (name: string) =>
  ['/usr/lib/systemd/system', '/lib/systemd/system'].some((each) => existsSync(`${each}/${name}`));

const source = (name: string) => readFileSync(packageFile(`packaging/${name}`), 'utf8');

/** Returns the text of the unit as it is installed. */
export const unitText = (name: string): string =>
  `${mark}${unitFor(source(name), packageFile('bulkhead'), packageFile('').replace(/\/$/, ''))}`;

/** Returns a unit's text with the paths of the program and of its package, which it otherwise finds through PATH. */
export const unitFor = (text: string, program: string, home: string): string =>
  text
    .replaceAll('/usr/bin/env bulkhead', program)
    .replaceAll('"$$(dirname "$$(readlink -f "$$(command -v bulkhead)")")"', home);

export type UnitFileState = 'absent' | 'current' | 'old' | 'foreign' | 'packaged';

/** Reads the installed unit. A file that somebody copied from the package is ours as well. */
export function unitFile(paths: Pick<Paths, 'etc'>, name: string): UnitFileState {
  const text = readText(unitPath(paths, name));
  if (text === undefined) return packaged(name) ? 'packaged' : 'absent';
  if (text === unitText(name)) return 'current';
  return text.startsWith(mark) || text === source(name) ? 'old' : 'foreign';
}

/** Writes the units that differ, and removes our own in place of packaged ones; returns their names. */
export function writeUnits(
  paths: Pick<Paths, 'etc'>,
  names: readonly string[],
): Result<readonly string[], Problem> {
  if (!plainPath.test(packageFile('bulkhead'))) {
    const reason = 'systemd reads the path differently in a unit';
    return failed({ action: 'install units for', object: packageFile('bulkhead'), reason });
  }
  const written: string[] = [];
  for (const name of names) {
    const state = unitFile(paths, name);
    const path = unitPath(paths, name);
    if (state !== 'foreign' && packaged(name)) {
      // It is from an installation before the package's.
      if (state === 'current' || state === 'old') removeIfThere(path);
      continue;
    }
    if (state === 'current') continue;
    if (state === 'foreign') {
      const reason = 'a file of that name is there that Bulkhead did not write';
      return failed({ action: 'write', object: path, reason, hint: 'move it away' });
    }
    const done = replaceFile(path, unitText(name), 0o644);
    if (!done.ok) return done;
    written.push(name);
  }
  return ok(written);
}

/**
 * Starts them and has them start at boot. systemd refuses to start a socket while its service runs, so the agent is
 * stopped for that moment. Limits stay in force meanwhile.
 */
export async function enableUnits(names: readonly string[]): Promise<Result<void, Problem>> {
  const all = ownUnits
    .filter(({ name, use }) => names.includes(name) && use === 'enabled')
    .map(({ name }) => name);
  const opensSocket = names.includes(agentSocket) && !(await isActive(agentSocket));
  const steps = [
    () => systemctl('daemon-reload'),
    () => systemctl('enable', ...all),
    ...(opensSocket ? [() => systemctl('stop', agentUnit)] : []),
    ...all.map((each) => () => startOwnUnit(each)),
  ];
  for (const step of steps) {
    const done = await step();
    if (!done.ok) return done;
  }
  return ok(undefined);
}

export async function isActive(name: string): Promise<boolean> {
  return (await systemctl('is-active', '--quiet', name)).ok;
}

/** Stops the units, and removes the ones that we wrote. A second run continues an interrupted one. */
export async function disableUnits(
  paths: Pick<Paths, 'etc'>,
): Promise<Result<readonly string[], readonly Problem[]>> {
  const problems: Problem[] = [];
  const removed: string[] = [];
  const there = ownUnits.filter(({ name }) => unitFile(paths, name) !== 'absent').toReversed();
  // The socket first: it would start the agent again.
  const order = [...there].sort((a, b) => rank(a) - rank(b));
  for (const { name, use } of order) {
    const isTemplate = name.includes('@');
    const stopped = isTemplate
      ? await stopInstances(name)
      : await systemctl(...(use === 'called' ? ['stop', name] : ['disable', '--now', name]));
    if (!stopped.ok) {
      problems.push(stopped.error);
      continue;
    }
    const state = unitFile(paths, name);
    if (state !== 'current' && state !== 'old') continue;
    try {
      removeIfThere(unitPath(paths, name));
      removed.push(name);
    } catch (error) {
      problems.push({ action: 'remove', object: unitPath(paths, name), ...causeOf(error) });
    }
  }
  if (order.length > 0) {
    const reloaded = await systemctl('daemon-reload');
    if (!reloaded.ok) problems.push(reloaded.error);
  }
  return problems.length === 0 ? ok(removed) : { ok: false, error: problems };
}

async function stopInstances(template: string): Promise<Result<void, Problem>> {
  const stopped = await systemctl('stop', template.replace('@', '@*'));
  return stopped.ok ? stopTemplateSlice(template.replace(/@.*/, '')) : stopped;
}

const rank = ({ name }: OwnUnit) => (name.endsWith('.socket') ? 0 : name === agentUnit ? 1 : 2);
