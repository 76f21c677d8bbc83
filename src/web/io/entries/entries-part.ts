/**
 * The agent's part while entries are enabled. It turns refused requests into faults, and has the web servers' files
 * written again when the policy or a vhost has changed.
 */
import { lstatSync } from 'node:fs';
import type { Log } from '../../../agent/log.ts';
import type { AgentPart, ReportedFault } from '../../../agent/part.ts';
import { formatProblem } from '../../../../packages/base/problem.ts';
import type { Paths } from '../../../host/paths.ts';
import type { Policy } from '../../../policy/policy.ts';
import { evidenceOf } from '../../../usage/evidence.ts';
import { entriesIncidents, requestEvidence } from '../../core/entries/entries-incidents.ts';
import { entryLimitsOf, limitsText } from '../../core/entries/limits.ts';
import { RefusalTally, type MemberRefusals } from '../../core/entries/refusal-tally.ts';
import { entriesSocket } from './entries-socket.ts';
import { readRecord, recordPath, stateOf, type EntriesRecord } from './record.ts';
import { Receiver } from './receiver.ts';
import { refreshElsewhere, type Refresh } from './refresh-elsewhere.ts';

/** How often the agent checks whether files have changed. */
const checkMs = 60_000;
/**
 * The wait after a refresh that changed nothing, for instance because the server does not accept its configuration.
 */
const againMs = 600_000;

export function entriesPart(paths: Paths, log: Log): AgentPart {
  return new EntriesPart(paths, log, refreshElsewhere);
}

export class EntriesPart implements AgentPart {
  readonly #paths: Paths;
  readonly #log: Log;
  readonly #refresh: Refresh;
  readonly #clock: () => number;
  readonly #tally = new RefusalTally();
  #policy: { readonly file: string; readonly limits: string } | undefined;
  #record: EntriesRecord | undefined;
  /** The version of the record's file. */
  #version: string | undefined;
  #receiver: { readonly told: string; readonly open: Receiver } | undefined;
  #closing: Promise<void> = Promise.resolve();
  #reported: string | undefined;
  #checkedAt = -Infinity;
  #tried: { readonly what: string; readonly at: number } | undefined;
  #refreshing = false;

  /** `clock`: monotonic, in milliseconds. */
  constructor(paths: Paths, log: Log, refresh: Refresh, clock = () => performance.now()) {
    this.#paths = paths;
    this.#log = log;
    this.#refresh = refresh;
    this.#clock = clock;
  }

  adopt(policy: Policy): void {
    this.#policy = { file: policy.file, limits: limitsText(entryLimitsOf(policy)) };
    this.#checkedAt = -Infinity;
  }

  takeFaults(): readonly ReportedFault[] {
    return this.#tally.take().map(faultOf);
  }

  afterTick(): void {
    this.#readRecord();
    this.#followSender();
    if (this.#record === undefined || this.#refreshing) return;
    if (this.#clock() - this.#checkedAt < checkMs) return;
    this.#checkedAt = this.#clock();
    this.#refreshIfChanged(this.#record);
  }

  #readRecord(): void {
    const stat = lstatSync(recordPath(this.#paths), { bigint: true, throwIfNoEntry: false });
    const version = stat === undefined ? undefined : `${stat.ino} ${stat.ctimeNs}`;
    if (version === this.#version) return;
    this.#version = version;
    this.#record = version === undefined ? undefined : readRecord(this.#paths);
  }

  /** Listens to the sender that the record names now. */
  #followSender(): void {
    const record = this.#record;
    const told = record && JSON.stringify([record.sender, record.apacheOwners]);
    if (told === this.#receiver?.told) return;
    this.#close();
    if (record === undefined || told === undefined) return;
    const take = (refusals: readonly MemberRefusals[]) => this.#tally.addAll(refusals);
    const opened = Receiver.open(entriesSocket(this.#paths), record, take);
    if (opened.ok) this.#receiver = { told, open: opened.value };
    this.#report(opened.ok ? undefined : formatProblem(opened.error));
  }

  #close(): void {
    const closing = this.#receiver?.open;
    this.#receiver = undefined;
    if (closing !== undefined) this.#closing = closing[Symbol.asyncDispose]();
  }

  #report(problem: string | undefined): void {
    if (problem !== undefined && problem !== this.#reported) this.#log.error(problem);
    this.#reported = problem;
  }

  #refreshIfChanged({ files, state, limits }: EntriesRecord): void {
    const policy = this.#policy;
    if (policy === undefined) return;
    const now = stateOf(files);
    if (now === state && policy.limits === limits) return;
    const what = `${now} ${policy.limits}`;
    const tried = this.#tried;
    if (tried?.what === what && this.#clock() - tried.at < againMs) return;
    this.#tried = { what, at: this.#clock() };
    this.#refreshing = true;
    void this.#refresh(this.#paths, policy.file).then((refreshed) => {
      this.#refreshing = false;
      if (refreshed.ok)
        this.#log.info('The policy or a vhost has changed; entries are written again');
      this.#report(refreshed.ok ? undefined : formatProblem(refreshed.error));
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#close();
    await this.#closing;
  }
}

const faultOf = ({ member, count, requests }: MemberRefusals): ReportedFault => ({
  member,
  limit: entriesIncidents.limit,
  severity: 'refused',
  count,
  inferred: false,
  evidence: evidenceOf(requestEvidence, requests),
});
