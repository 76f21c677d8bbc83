/**
 * Records ticks: metrics, faults, incidents and their evidence.
 *
 * Nothing here may delay or stop the agent. A store that cannot be written is reported once, and the
 * limits stay in force; incidents that could not be written are written once it works again.
 */
import { formatProblem, type Problem } from '../../../packages/base/problem.ts';
import { ok, type Result } from '../../../packages/base/result.ts';
import type { EvidenceReader, ProcessSet } from '../../host/evidence/evidence-reader.ts';
import { KernelLog, type OomKill } from '../../host/kernel-log.ts';
import type { HistorySettings } from '../../policy/settings.ts';
import type { EventStore } from '../../store/events/event-store.ts';
import type { MetricsStore } from '../../store/metrics/metrics-store.ts';
import type { Evidence } from '../../usage/evidence.ts';
import type { Fault } from '../../usage/fault.ts';
import {
  IncidentLog,
  KeptEvidence,
  quietMilliseconds,
  wantsSnapshot,
  type Moment,
  type OpenIncident,
} from '../../usage/incident-log.ts';
import type { IncidentKinds } from '../../usage/incident-kinds.ts';
import type { Incident, KilledProcess, Snapshot } from '../../usage/incident.ts';
import type { Member } from '../../usage/member.ts';
import type { Tick } from '../../usage/tick.ts';
import { countOf } from '../responses/processes.ts';
import type { ReportedFault } from '../part.ts';
import type { MovedPruner } from '../history/moved-pruner.ts';
import type { LatestSample } from './latest-sample.ts';
import type { Log } from '../log.ts';
import type { MemberEntry, MemberIndex } from './member-index.ts';

/** Bounds the length of a tick in which every member has faults; the rest follow later. */
const snapshotsPerTickMax = 20;
const processesMax = 50;

interface RecorderParts {
  readonly metrics: MetricsStore;
  readonly events: EventStore;
  readonly evidence: EvidenceReader;
  readonly pruner: Pick<MovedPruner, 'look'>;
  readonly latest: LatestSample;
  readonly log: Log;
  readonly memberIndex: () => MemberIndex;
  readonly kinds: IncidentKinds;
  readonly processes: (entry: MemberEntry) => readonly ProcessSet[];
  /** Returns the member's cgroup from the root of the hierarchy that limits memory: `/bulkhead/u1001`. */
  readonly memoryCgroup: (entry: MemberEntry) => string | undefined;
  /** Returns the CPU limit that is left for programs, in cores, while database servers use the rest. */
  readonly cpuLimitNow: (entry: MemberEntry) => number | undefined;
  /** Called with the incidents that began or continued in a tick. */
  readonly onIncidents: (incidents: readonly Incident[]) => void;
}

/** The parts of a snapshot that are known at once. */
interface KnownAtOnce {
  readonly killed: readonly OomKill[];
  readonly reported: Evidence | undefined;
}

function withoutCgroup({ cgroup, ...killed }: OomKill): KilledProcess {
  void cgroup;
  return killed;
}

export class Recorder implements Disposable {
  readonly #parts: RecorderParts;
  readonly #incidents = new IncidentLog();
  readonly #kernelLog = new KernelLog();
  readonly #reported = new KeptEvidence();
  /** Evidence being collected. */
  readonly #gathering = new Set<Promise<void>>();
  #problem: Problem | undefined;

  constructor(parts: RecorderParts, moment: Moment) {
    this.#parts = parts;
    this.#resume(moment);
  }

  /** Returns the reason why nothing can be recorded now. */
  get problem(): Problem | undefined {
    return this.#problem;
  }

  #resume({ at, monotonic }: Moment): void {
    const open = this.#parts.events.openSince(at - quietMilliseconds);
    for (const each of open.ok ? open.value : []) {
      // A wall clock that was set back must not keep an incident open for long.
      const age = Math.max(0, at - each.end);
      this.#incidents.resume({
        ...each,
        shownSeverity: each.severity,
        lastFault: monotonic - age,
        lastSnapshot: monotonic - age,
      });
    }
  }

  /** Forgets members: incidents do not continue for a new owner of the uid. */
  forget(members: ReadonlySet<Member>): void {
    this.#incidents.forget(members);
  }

  /** Records one tick. `reported` are the faults with known details. */
  record(
    tick: Tick,
    faults: readonly Fault[],
    moment: Moment,
    settings: HistorySettings,
    reported: readonly ReportedFault[] = [],
  ): void {
    const { metrics, events, pruner } = this.#parts;
    pruner.look(moment, settings);
    const written = [metrics.add(tick), metrics.rollUp(moment.at)];
    const touched = this.#incidents.add(faults, moment);
    const unwritten = new Set([...touched, ...this.#unwritten()]);
    if (unwritten.size > 0) written.push(this.#recordFaults(faults, [...unwritten], moment.at));
    written.push(metrics.prune(moment.at, settings), events.prune(moment.at, settings));
    this.#report(written.find((each) => !each.ok) ?? ok(undefined));
    this.#incidents.close(moment.monotonic);
    this.#gatherEvidence(touched, faults, moment, reported);
    if (touched.length > 0) this.#publish(touched);
    for (const note of [...metrics.takeNotes(), ...events.takeNotes()]) this.#parts.log.warn(note);
  }

  /** Returns the incidents from the time during which the store did not work. */
  #unwritten(): readonly OpenIncident[] {
    if (this.#problem === undefined) return [];
    return this.#incidents.open.filter((each) => each.id === undefined);
  }

  #recordFaults(
    faults: readonly Fault[],
    touched: readonly OpenIncident[],
    at: number,
  ): Result<void, Problem> {
    const { events } = this.#parts;
    const fresh = touched.filter((each) => each.id === undefined);
    const written = events.transaction(() => {
      // It may run twice, the second time on a new file, in which the first ids mean nothing.
      for (const incident of fresh) incident.id = undefined;
      events.addFaults(at, faults);
      for (const incident of touched) this.#write(incident);
    });
    // The ids given to new incidents are lost with the transaction.
    if (!written.ok) for (const incident of fresh) incident.id = undefined;
    return written;
  }

  /** Writes an incident. A failure aborts the enclosing transaction. */
  #write(incident: OpenIncident): void {
    const { events } = this.#parts;
    const { end, faults, severity } = incident;
    if (incident.id !== undefined) {
      events.update(incident.id, { end, faults, severity });
      return;
    }
    const opened = events.open(this.#described(incident));
    if (opened.ok) incident.id = opened.value;
  }

  #described(incident: OpenIncident): Omit<Incident, 'id' | 'snapshots'> {
    const { member, limit, severity, inferred, begin, end, faults } = incident;
    const memberIndex = this.#parts.memberIndex();
    const name = memberIndex.entries.get(member)?.who.name ?? '';
    const { value, from } = this.#parts.kinds.withoutLimit(limit) ?? {
      value: memberIndex.valueText(member, limit),
      from: memberIndex.originOf(member, limit),
    };
    return { member, name, limit, severity, inferred, begin, end, faults, value, from };
  }

  #report(written: Result<void, Problem>): void {
    const before = this.#problem && formatProblem(this.#problem);
    this.#problem = written.ok ? undefined : written.error;
    const now = this.#problem && formatProblem(this.#problem);
    if (now === before) return;
    if (now === undefined) this.#parts.log.info('History is being written again');
    else this.#parts.log.error(`${now}; limits stay in force`);
  }

  #gatherEvidence(
    touched: readonly OpenIncident[],
    faults: readonly Fault[],
    moment: Moment,
    reported: readonly ReportedFault[],
  ): void {
    const killed = faults.some((each) => each.severity === 'killed')
      ? this.#kernelLog.oomKills()
      : [];
    const room = Math.max(0, snapshotsPerTickMax - this.#gathering.size);
    this.#keep(touched, reported);
    const waiting = this.#incidents.open.filter((each) => this.#reported.has(each));
    const chosen = [...new Set([...touched, ...waiting])]
      .filter((each) => wantsSnapshot(each, moment.monotonic))
      .toSorted((a, b) => a.snapshots - b.snapshots)
      .slice(0, room);
    for (const incident of chosen) {
      incident.snapshots++;
      incident.lastSnapshot = moment.monotonic;
      incident.shownSeverity = incident.severity;
      const known = { killed, reported: this.#reported.take(incident) };
      const work = this.#snapshot(incident, known, moment.at).finally(() =>
        this.#gathering.delete(work),
      );
      this.#gathering.add(work);
    }
  }

  #keep(touched: readonly OpenIncident[], reported: readonly ReportedFault[]): void {
    for (const incident of touched)
      for (const { member, limit, evidence } of reported)
        if (member === incident.member && limit === incident.limit)
          this.#reported.add(incident, evidence);
  }

  async #snapshot(
    incident: OpenIncident,
    { killed: kills, reported }: KnownAtOnce,
    at: number,
  ): Promise<void> {
    const { memberIndex, evidence, latest, events, log } = this.#parts;
    const entry = memberIndex().entries.get(incident.member);
    if (entry === undefined) return;
    const all = this.#parts.processes(entry);
    const usage = latest.usage(incident.member);
    const cpuLimitNow = this.#parts.cpuLimitNow(entry);
    const processes = await evidence.read(all, processesMax);
    const killed = this.#killedOf(entry, kills);
    const snapshot: Snapshot = {
      at,
      processes,
      processCount: countOf(all),
      usage,
      ...(killed === undefined ? {} : { killed }),
      ...(cpuLimitNow === undefined ? {} : { cpuLimitNow }),
      ...(reported === undefined ? {} : { evidence: reported }),
    };
    if (incident.id !== undefined) {
      const added = events.addSnapshot(incident.id, snapshot);
      if (!added.ok) log.debug(formatProblem(added.error));
    }
  }

  #killedOf(entry: MemberEntry, kills: readonly OomKill[]): Snapshot['killed'] {
    // Most incidents have none, and finding the cgroup's name requires reading the mounts.
    if (kills.length === 0) return undefined;
    const cgroup = this.#parts.memoryCgroup(entry);
    const mine = kills.filter((each) => each.cgroup === cgroup);
    return mine.length === 0 ? undefined : mine.map(withoutCgroup);
  }

  #publish(touched: readonly OpenIncident[]): void {
    const incidents = touched.flatMap((each): readonly Incident[] =>
      each.id === undefined
        ? []
        : [{ ...this.#described(each), id: each.id, snapshots: each.snapshots }],
    );
    this.#parts.onIncidents(incidents);
  }

  [Symbol.dispose](): void {
    this.#kernelLog[Symbol.dispose]();
  }
}
