/** A whole run: scratch tenants, attacks one by one, and everything removed again. */
import { createRequire } from 'node:module';
import type { PolicyCapability } from '../../apply/capability.ts';
import type { Cause, Problem } from '../../../packages/base/problem.ts';
import { ok, type Result } from '../../../packages/base/result.ts';
import type { Paths } from '../../host/paths.ts';
import { lockFile } from '../../sys/files/flock.ts';
import { readText } from '../../../packages/base/io/read.ts';
import type { Attack, ScratchLimits, Stage } from '../core/attack.ts';
import { demandsOf, nothingDemanded } from '../core/demands.ts';
import { networkLimits, type ScratchNetwork } from '../core/scratch-network.ts';
import { attackerLimits } from '../core/scratch-policy.ts';
import { entryOf, type ProofEntry } from '../core/verdict.ts';
import { runAttack } from './run-attack.ts';
import type { PolicyInForce } from './free-uids.ts';
import { reportHost, type ProvedHost } from './host-report.ts';
import { startNeighbour, type ProveNeighbour } from './neighbour.ts';
import { freePort, startOtherHost } from './other-host.ts';
import { coresHere, makeProveScratch, removeProveScratch, type ProveScratch } from './scratch.ts';
import { accountHomesOf, freeBytesOf } from './scratch-files.ts';
import { serverUser } from './server-user.ts';
import { proveLock, scratchPaths } from './scratch-paths.ts';

export interface ProveOptions {
  readonly paths: Paths;
  /** They apply the policy of the scratch tenants, too. */
  readonly capabilities: readonly PolicyCapability[];
  /** Absent if there is none: then nothing is demanded. */
  readonly inForce: PolicyInForce | undefined;
  readonly attacks: readonly Attack[];
  readonly signal: AbortSignal;
  readonly onHost?: (host: ProvedHost) => void;
  readonly onStart?: (attack: Attack) => void;
  readonly onEntry?: (entry: ProofEntry) => void;
  /** The limits of the attacker; default: `attackerLimits`. */
  readonly limits?: ScratchLimits;
  readonly uidsFrom?: number;
}

export interface Proof {
  /** The host, and its protections. */
  readonly host: ProvedHost;
  /** The uids of the temporary accounts, by role. */
  readonly uids: Stage['uids'];
  /** The attacks and their results. */
  readonly entries: readonly ProofEntry[];
}

/**
 * Runs the attacks. If it is aborted, the result has the entries until then. It fails if something could not be
 * removed.
 */
export async function prove(options: ProveOptions): Promise<Result<Proof, Problem>> {
  const lock = lockFile(proveLock(scratchPaths(options.paths)), { waitMs: 0 });
  if (!lock.ok) return lock;
  using _lock = lock.value;
  const left = await removeProveScratch(options.capabilities, options.paths);
  if (!left.ok) return left;
  const proof = await withScratch(options);
  const removed = await removeProveScratch(options.capabilities, options.paths);
  return removed.ok ? proof : removed;
}

/** Removes the remains of a killed run. */
export async function cleanUp(
  capabilities: readonly PolicyCapability[],
  paths: Paths,
): Promise<Result<void, Problem>> {
  const lock = lockFile(proveLock(scratchPaths(paths)), { waitMs: 0 });
  if (!lock.ok) return lock;
  using _lock = lock.value;
  return await removeProveScratch(capabilities, paths);
}

async function withScratch(options: ProveOptions): Promise<Result<Proof, Problem>> {
  const { paths, capabilities, inForce, limits = attackerLimits, uidsFrom, signal } = options;
  const demands =
    inForce === undefined ? nothingDemanded : demandsOf(inForce.policy, inForce.document);
  using otherHost = await startOtherHost();
  const network = { has: demands, other: otherHost.other, keptPort: await freePort() };
  const made = await makeProveScratch(paths, { capabilities, inForce, limits, network, uidsFrom });
  if (!made.ok) return made;
  const scratch = made.value;
  const host = reportHost(paths, scratch, inForce?.policy);
  options.onHost?.(host);
  const started = await startNeighbour(scratch);
  if (!started.ok) return started;
  using neighbour = started.value;
  const stage = {
    ...stageOf(scratch, neighbour, options, limits),
    ...networkStage(network, otherHost.missing),
  };
  const carrying = {
    stage,
    signal,
    driver: scratch.driver,
    instance: scratch.paths.instance,
    server: serverUser(paths, namesIn(inForce), scratch.uids.server),
    neighbourRuns: neighbour.runs,
  };
  const entries: ProofEntry[] = [];
  for (const attack of options.attacks) {
    if (signal.aborted) break;
    options.onStart?.(attack);
    const outcome = await runAttack(attack, carrying);
    if (signal.aborted) break;
    const entry = entryOf(attack, outcome, demands);
    entries.push(entry);
    options.onEntry?.(entry);
  }
  return ok({ host, uids: scratch.uids, entries });
}

const namesIn = (inForce: PolicyInForce | undefined): readonly string[] =>
  inForce?.document.symlinks?.rule.by ?? [];

/**
 * More descriptors than fit into the attacker's memory: the kernel needs more than a hundred bytes for an open file.
 */
const descriptorsMax = Math.ceil(attackerLimits.memory / 100);

type NetworkStage = Pick<Stage, 'keptPort' | 'other' | 'otherMissing' | 'sendLimit'>;

const networkStage = (
  { has, other, keptPort }: ScratchNetwork,
  otherMissing: Cause | undefined,
): NetworkStage => ({
  keptPort,
  other,
  otherMissing,
  sendLimit: has.has('network.send') ? networkLimits.sendBytes : undefined,
});

function stageOf(
  { homes, sites, shared, hidden, uids, driver, jailed, landlocked }: ProveScratch,
  neighbour: ProveNeighbour,
  { paths, inForce }: ProveOptions,
  limits: ScratchLimits,
): Omit<Stage, keyof NetworkStage> {
  const [used = 0, , most = 0] = (readText(`${paths.proc}/sys/fs/file-nr`) ?? '')
    .split(/\s+/)
    .map(Number);
  const { hierarchies } = driver.tree;
  const cgroupsOf = (uid: number) => hierarchies.map(({ rootPath }) => `${rootPath}/u${uid}`);
  return {
    architecture: process.arch,
    cores: coresHere(),
    uids,
    homes,
    sites,
    shared,
    hidden,
    neighbour: neighbour.pid,
    socket: neighbour.socket,
    neighbourPort: neighbour.port,
    limits,
    jailed,
    landlocked,
    cgroups: {
      attacker: cgroupsOf(uids.attacker),
      neighbour: cgroupsOf(uids.neighbour),
      control: cgroupsOf(uids.control),
      top: hierarchies.map(({ mountPoint }) => mountPoint),
    },
    accountHomes: accountHomesOf(paths, inForce?.policy),
    descriptorsMax: Math.min(descriptorsMax, Math.floor((most - used) / 10)),
    availableBytes: availableBytes(paths),
    freeBytes: freeBytesOf(homes.attacker),
    node: [process.execPath, createRequire(import.meta.url).resolve('koffi')],
  };
}

/** Reads the available memory in bytes, from `MemAvailable:   21037232 kB`. Source: proc_meminfo(5). */
function availableBytes({ proc }: Paths): number | undefined {
  const match = /^MemAvailable:\s+(\d+) kB$/m.exec(readText(`${proc}/meminfo`) ?? '');
  return match === null ? undefined : Number(match[1]) * 1024;
}
