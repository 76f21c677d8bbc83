/**
 * Sets fq at the devices that lead to other hosts, sees to it that it stays, and puts back what was there.
 *
 * Between two scans a driver or an administrator may have changed anything. A step therefore only adds where the
 * kernel's own choice is (`NLM_F_EXCL`), and undoing only removes what has our handle.
 */
import { formatProblem, type Cause, type Problem } from '../../../../packages/base/problem.ts';
import type { Paths } from '../../../host/paths.ts';
import { create, exclusive, netlinkChange } from '../../../sys/sockets/netlink.ts';
import { decide, type Decision, type Step } from '../../core/qdiscs/decide.ts';
import {
  emptyRecord,
  isInForce,
  type QdiscRecord,
  type SetDevice,
} from '../../core/qdiscs/record.ts';
import { notWanted, reportOf, unknownPacing, type PacingReport } from '../../core/qdiscs/report.ts';
import { impossibleFq, newFq, newMq, rootParent, type Qdisc } from '../../core/qdiscs/rtnetlink.ts';
import { lockNetwork } from '../network-state.ts';
import { setDefaultQdisc } from './default-qdisc.ts';
import { NETLINK_ROUTE, readDevices, type SeenDevices } from './read-devices.ts';
import { readQdiscRecord, writeQdiscRecord } from './record-file.ts';
import { restoreQdiscs } from './restore-qdiscs.ts';

/** The device's own qdisc, then the leaves of mq, then what came of it. */
const passesMax = 3;
const releaseWaitMs = 10_000;

/** Why the last step at a device failed, by its index. */
type Failures = ReadonlyMap<number, Cause>;

export class PacedDevices {
  readonly #paths: Paths;
  #isWanted = false;
  #running: Promise<PacingReport> | undefined;
  #report: PacingReport | undefined;

  constructor(paths: Paths) {
    this.#paths = paths;
  }

  /** The report of the last scan; undefined before the first. */
  get report(): PacingReport | undefined {
    return this.#report;
  }

  /** `isWanted`: whether somebody has a limit on what it sends. Otherwise everything is put back. */
  async adopt(isWanted: boolean): Promise<PacingReport> {
    this.#isWanted = isWanted;
    await this.#running;
    return this.check();
  }

  /** Scans the devices, and sets what is missing. A scan that has not ended is not begun again. */
  check(): Promise<PacingReport> {
    this.#running ??= this.#scan().then((report) => {
      this.#running = undefined;
      this.#report = report;
      return report;
    });
    return this.#running;
  }

  /** Puts back what was there. A scan ends first: it has the lock. */
  async restore(): Promise<readonly Problem[]> {
    this.#isWanted = false;
    await this.#running;
    return restoreQdiscs(this.#paths, releaseWaitMs);
  }

  async #scan(): Promise<PacingReport> {
    if (this.#isWanted) return setQdiscs(this.#paths);
    const problems = await restoreQdiscs(this.#paths, 0);
    return notWanted(problems.map(formatProblem));
  }
}

/** Returns what is in force, and changes nothing. */
export async function readPacing(paths: Paths): Promise<PacingReport> {
  const record = readQdiscRecord(paths);
  const seen = await readDevices();
  if (!seen.ok) return unknownPacing(formatProblem(seen.error));
  const decisions = decisionsOf(seen.value, record.ok ? record.value : emptyRecord, new Map());
  const remarks = record.ok ? seen.value.remarks : [formatProblem(record.error)];
  return reportOf(
    decisions.map(({ report }) => report),
    remarks,
  );
}

async function setQdiscs(paths: Paths): Promise<PacingReport> {
  const locked = lockNetwork(paths, 0);
  if (!locked.ok) return unknownPacing(formatProblem(locked.error));
  using _lock = locked.value;
  const read = readQdiscRecord(paths);
  if (!read.ok) return unknownPacing(formatProblem(read.error));
  let record = read.value;
  let failures: Failures = new Map();
  for (let pass = 1; ; pass++) {
    const seen = await readDevices();
    if (!seen.ok) return unknownPacing(formatProblem(seen.error));
    const decisions = decisionsOf(seen.value, record, failures);
    const steps = decisions
      .flatMap((each) => each.steps)
      .filter(({ place }) => !failures.has(place.device));
    if (steps.length === 0 || pass === passesMax) {
      const kept = withoutGone(record, seen.value.qdiscs);
      const hasFq = ![...failures.values()].some(({ errno }) => errno === 'ENOENT');
      const written = writeQdiscRecord(paths, kept);
      const problems = written.ok ? (hasFq ? setDefaultQdisc(paths, kept) : []) : [written.error];
      return reportOf(
        decisions.map(({ report }) => report),
        [...seen.value.remarks, ...problems.map(formatProblem)],
      );
    }
    record = withSteps(record, steps);
    const noted = writeQdiscRecord(paths, record);
    if (!noted.ok) return unknownPacing(formatProblem(noted.error));
    failures = await perform(steps);
  }
}

function decisionsOf(
  { leadingOut, qdiscs }: SeenDevices,
  { devices }: QdiscRecord,
  failures: Failures,
): readonly Decision[] {
  const ours = new Set(devices.map(({ index }) => index));
  return leadingOut.map((each) =>
    decide(each, qdiscs, ours.has(each.index), failures.get(each.index)),
  );
}

function withSteps(record: QdiscRecord, steps: readonly Step[]): QdiscRecord {
  const added = steps
    .filter(({ place }) => place.parent === rootParent)
    .map(({ kind, place }): SetDevice => ({ index: place.device, kind }));
  const indexes = new Set(added.map(({ index }) => index));
  const others = record.devices.filter(({ index }) => !indexes.has(index));
  return { ...record, devices: [...others, ...added] };
}

/** Leaves out devices that are gone, or that somebody has given another qdisc. */
function withoutGone(record: QdiscRecord, qdiscs: readonly Qdisc[]): QdiscRecord {
  return { ...record, devices: record.devices.filter((each) => isInForce(each, qdiscs)) };
}

async function perform(steps: readonly Step[]): Promise<Failures> {
  const failures = new Map<number, Cause>();
  for (const step of steps) {
    const { device } = step.place;
    // One queue that fails is enough to know.
    const failure = failures.get(device) ?? (await performOne(step));
    if (failure !== undefined) failures.set(device, failure);
  }
  return failures;
}

async function performOne({ kind, place }: Step): Promise<Cause | undefined> {
  const flags = create | exclusive;
  if (kind === 'mq') {
    // With a kernel that has no fq, mq alone would only drop what waits.
    const tried = await netlinkChange(NETLINK_ROUTE, flags, impossibleFq(place));
    if (tried?.errno === 'ENOENT' || tried?.errno === 'EPERM') return explained(tried);
  }
  const request = kind === 'mq' ? newMq(place) : newFq(place);
  return explained(await netlinkChange(NETLINK_ROUTE, flags, request));
}

const explained = (cause: Cause | undefined): Cause | undefined => {
  if (cause?.errno === 'ENOENT')
    return { ...cause, reason: 'this kernel has no qdisc fq (sch_fq)' };
  if (cause?.errno === 'EPERM') return { ...cause, reason: 'qdiscs may not be changed here' };
  return cause;
};
