/**
 * The agent's part while entries are enabled. It turns refused requests into faults, and has the web servers' files
 * written again when the policy or a vhost has changed.
 */
import { lstatSync } from 'node:fs';
import type { Log } from '../../../agent/log.ts';
import type { AgentPart, ReportedFault } from '../../../agent/part.ts';
import { Reconciler } from '../../../host/reconcile/reconciler.ts';
import { reportOnce, type Report } from '../../../host/reconcile/report-once.ts';
import type { Paths } from '../../../host/paths.ts';
import type { Policy } from '../../../policy/policy.ts';
import { evidenceOf } from '../../../usage/evidence.ts';
import { entriesIncidents, requestEvidence } from '../../core/entries/entries-incidents.ts';
import { entryLimitsOf, limitsText } from '../../core/entries/limits.ts';
import { EntryRefusalTally, type MemberRefusals } from '../../core/entries/refusal-tally.ts';
import { entriesSocket } from './entries-socket.ts';
import { readEntriesRecord, recordPath, fileStateKey, type EntriesRecord } from './record.ts';
import { RefusalReceiver } from './receiver.ts';
import { syncElsewhere, type Sync } from './sync-elsewhere.ts';

export function entriesPart(paths: Paths, log: Log): AgentPart {
  return new EntriesPart(paths, log, syncElsewhere);
}

export class EntriesPart implements AgentPart {
  readonly #paths: Paths;
  readonly #log: Log;
  readonly #sync: Sync;
  readonly #report: Report;
  readonly #reconciler: Reconciler;
  readonly #tally = new EntryRefusalTally();
  #policy: { readonly file: string; readonly limits: string } | undefined;
  #record: EntriesRecord | undefined;
  /** The version of the record's file. */
  #version: string | undefined;
  #receiver:
    | { readonly told: string; readonly open: RefusalReceiver; readonly since: number }
    | undefined;
  #closing: Promise<void> = Promise.resolve();

  /** `clock`: monotonic, in milliseconds. */
  constructor(paths: Paths, log: Log, sync: Sync, clock = () => performance.now()) {
    this.#paths = paths;
    this.#log = log;
    this.#sync = sync;
    this.#report = reportOnce((text) => log.error(text));
    this.#reconciler = new Reconciler(
      { deviation: () => this.#deviation(), attempt: () => this.#attempt() },
      { about: 'entries', log: (text) => log.error(text), clock },
    );
  }

  adopt(policy: Policy): void {
    this.#policy = { file: policy.file, limits: limitsText(entryLimitsOf(policy)) };
    this.#reconciler.soon();
  }

  takeFaults(): readonly ReportedFault[] {
    return this.#tally.take().map(faultOf);
  }

  entriesCountedSince(): number | undefined {
    return this.#receiver?.since;
  }

  afterTick(): void {
    this.#readRecord();
    this.#followSender();
    if (this.#record !== undefined) this.#reconciler.tick();
  }

  #readRecord(): void {
    const stat = lstatSync(recordPath(this.#paths), { bigint: true, throwIfNoEntry: false });
    const version = stat === undefined ? undefined : `${stat.ino} ${stat.ctimeNs}`;
    if (version === this.#version) return;
    this.#version = version;
    this.#record = version === undefined ? undefined : readEntriesRecord(this.#paths);
  }

  /** Listens to the sender that the record names now. */
  #followSender(): void {
    const record = this.#record;
    const told = record && JSON.stringify([record.sender, record.apacheOwners]);
    if (told === this.#receiver?.told) return;
    this.#close();
    if (record === undefined || told === undefined) return;
    const take = (refusals: readonly MemberRefusals[]) => this.#tally.addAll(refusals);
    const opened = RefusalReceiver.open(entriesSocket(this.#paths), record, take);
    if (opened.ok) this.#receiver = { told, open: opened.value, since: Date.now() };
    this.#report(opened);
  }

  #close(): void {
    const closing = this.#receiver?.open;
    this.#receiver = undefined;
    if (closing !== undefined) this.#closing = closing[Symbol.asyncDispose]();
  }

  #deviation(): string | undefined {
    const record = this.#record;
    const policy = this.#policy;
    if (record === undefined || policy === undefined) return undefined;
    const now = fileStateKey(record.files);
    const isSame = now === record.state && policy.limits === record.limits;
    return isSame ? undefined : `${now} ${policy.limits}`;
  }

  async #attempt(): Promise<void> {
    if (this.#policy === undefined) return;
    const synced = await this.#sync(this.#paths, this.#policy.file);
    if (synced.ok) this.#log.info('The policy or a vhost has changed; entries are written again');
    this.#report(synced);
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
