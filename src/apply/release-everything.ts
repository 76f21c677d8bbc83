/**
 * Undoes everything that Bulkhead has done to this host: first the capabilities in force, each by its own command, then
 * limits, then remaining files. A failed step does not stop the others, but then files stay, since they record what is
 * left. A second run continues: it checks for each step whether it is still in force.
 */
import { existsSync, lstatSync, rmdirSync, rmSync } from 'node:fs';
import type { UndoStep } from './undo-step.ts';
import type { Problem } from '../../packages/base/problem.ts';
import { runsSystemd } from '../host/cgroups/systemd-delegation.ts';
import { linuxHost } from '../host/host.ts';
import { agentLock, type Paths } from '../host/paths.ts';
import { lastWords } from '../host/restore-elsewhere.ts';
import { disableUnits, ownUnits, unitFile } from '../host/systemd/own-units.ts';
import { causeOf } from '../../packages/base/io/errno.ts';
import { isLocked } from '../sys/files/flock.ts';
import { writableByOthers } from '../../packages/base/io/pinned-directory.ts';
import { namesIn } from '../../packages/base/io/read.ts';
import { readMounts } from '../sys/files/mounts.ts';
import { packageFile } from '../sys/package-files.ts';
import { runBounded } from '../sys/processes/run-bounded.ts';
import { planPolicy, releaseAll } from './apply.ts';
import type { PolicyCapability } from './capability.ts';
import { PolicyReader } from './load-policy.ts';
import { releaseBlocker, releaseParts } from './parts.ts';

export interface ReleaseOptions {
  readonly kill: boolean;
  readonly keepHistory: boolean;
}

export interface ReleaseStep {
  readonly what: string;
  readonly run: () => Promise<readonly Problem[]>;
}

/** Longer than any of the commands may take. */
const commandMs = 900_000;

/** Returns the steps; none if nothing of Bulkhead is on this host. */
export async function releaseSteps(
  capabilities: readonly PolicyCapability[],
  paths: Paths,
  options: ReleaseOptions,
): Promise<readonly ReleaseStep[]> {
  const steps: ReleaseStep[] = [];
  if (hasUnits(paths)) steps.push({ what: 'the agent and its units', run: () => stopUnits(paths) });
  else if (isLocked(agentLock(paths)))
    steps.push({ what: 'the agent, which has to be stopped', run: () => agentEnded(paths) });
  const found: UndoStep[] = [];
  for (const { undo } of capabilities) found.push(...((await undo?.())?.(paths) ?? []));
  found.sort((a, b) => Number(b.isFirst ?? false) - Number(a.isFirst ?? false));
  steps.push(...found.map((each) => ({ what: each.what, run: () => undone(each, paths) })));
  if (steps.length > 0 || isApplied(paths))
    steps.push({
      what: 'limits, jails, cgroups and quotas',
      run: () => releaseLimits(capabilities, paths, options),
    });
  return steps;
}

/** Returns the directories that `removeOwnFiles` removes, as far as they exist. */
export const ownDirectories = (paths: Paths): readonly string[] => [
  ...recordDirectories(paths),
  ...(isOurs(paths.cache) ? [paths.cache] : []),
];

/** The directories whose files record what is in force. */
const recordDirectories = ({ runtime, state }: Paths) =>
  [runtime, state].filter((each) => existsSync(each));

/** Whether it is a directory of root to which nobody else can write. */
function isOurs(path: string): boolean {
  const found = lstatSync(path, { throwIfNoEntry: false });
  return found?.isDirectory() === true && found.uid === 0 && !writableByOthers(found);
}

/** Whether files or limits remain. Slices keep their limits after a reboot, even without those files. */
function isApplied(paths: Paths): boolean {
  if (recordDirectories(paths).length > 0) return true;
  const { policy } = new PolicyReader().resolve('', '<bulkhead version="1"/>', paths);
  const driver = linuxHost(paths).probe();
  if (policy === undefined || !driver.ok) return true;
  // An empty policy still makes the cgroup above all tenants.
  return planPolicy(policy, driver.value).operations.some(
    ({ kind }) => kind !== 'prepare' && kind !== 'create' && kind !== 'write',
  );
}

const hasUnits = (paths: Paths) =>
  paths.instance === 'bulkhead' &&
  runsSystemd() &&
  ownUnits.some(({ name }) => unitFile(paths, name) !== 'absent');

/** Stops them. An agent that still runs after that was started otherwise. */
async function stopUnits(paths: Paths): Promise<readonly Problem[]> {
  const done = await disableUnits(paths);
  return done.ok ? agentEnded(paths) : done.error;
}

function agentEnded(paths: Paths): Promise<readonly Problem[]> {
  const problem = {
    action: 'release everything',
    reason: 'an agent still runs, and would bring the limits back',
    hint: 'stop it first; /run has its process id in agent.lock',
  };
  return Promise.resolve(isLocked(agentLock(paths)) ? [problem] : []);
}

async function undone({ what, command, run }: UndoStep, paths: Paths): Promise<readonly Problem[]> {
  if (run !== undefined) {
    const problems = await run();
    if (problems.length > 0) return problems;
  }
  if (command === undefined) return [];
  const args = ['--instance', paths.instance, ...command];
  const done = await runBounded(packageFile('bulkhead'), args, { timeoutMs: commandMs });
  const cannot = { action: 'undo', object: what };
  const hint = `run: bulkhead ${command.join(' ')}`;
  if (!done.ok) return [{ ...cannot, ...done.error, hint }];
  const { status, stderr } = done.value;
  if (status === 0) return [];
  const reason = lastWords(stderr);
  return [{ ...cannot, reason: reason === '' ? `it ended with status ${status}` : reason, hint }];
}

async function releaseLimits(
  capabilities: readonly PolicyCapability[],
  paths: Paths,
  { kill }: ReleaseOptions,
): Promise<readonly Problem[]> {
  const blocker = await releaseBlocker(capabilities, paths);
  if (blocker !== undefined) return [blocker];
  const released = releaseAll(linuxHost(paths), { kill });
  if (!released.ok) return released.error;
  // Its agent has made it, and systemd makes it again when it has something to write there.
  if (paths.instance === 'bulkhead') removeEmptyDirectory('/run/systemd/system.control');
  return releaseParts(capabilities, paths);
}

function removeEmptyDirectory(path: string): void {
  try {
    rmdirSync(path);
  } catch {
    // It is not there, or others have settings in it.
  }
}

/** Removes the files, as the last step. File systems mounted there are not ours to remove. */
export function removeOwnFiles(paths: Paths, { keepHistory }: ReleaseOptions): readonly Problem[] {
  const mounts = readMounts(paths);
  const mounted = ownDirectories(paths).flatMap((object): readonly Problem[] => {
    const inside = mounts.find(({ mountPoint }) => `${mountPoint}/`.startsWith(`${object}/`));
    if (inside === undefined) return [];
    const reason = `something is mounted at ${inside.mountPoint}`;
    return [{ action: 'remove', object, reason, hint: 'unmount it' }];
  });
  if (mounted.length > 0) return mounted;
  return ownDirectories(paths).flatMap((directory): readonly Problem[] => {
    const isKept = keepHistory && directory === paths.state;
    const names = namesIn(directory).filter((each) => !(isKept && each === 'history'));
    try {
      for (const name of names) rmSync(`${directory}/${name}`, { recursive: true, force: true });
      if (!isKept) rmSync(directory, { recursive: true, force: true });
      return [];
    } catch (error) {
      return [{ action: 'remove', object: directory, ...causeOf(error) }];
    }
  });
}
