/** Alerts by the rules of the policy in force; if they change, waiting messages are still sent. */
import type { AlertSettings } from '../policy/settings.ts';
import type { EventStore } from '../store/events/event-store.ts';
import type { IncidentKinds } from '../usage/incident-kinds.ts';
import type { Incident, Snapshot } from '../usage/incident.ts';
import type { Member } from '../usage/member.ts';
import type { AlertsTestResponse } from './api/api.ts';
import { Alerts } from './alerts/alerts.ts';
import type { AlertWho } from './alerts/receiver.ts';
import type { Log } from './log.ts';
import type { Alarm } from './part.ts';
import type { MemberIndex } from './sampling/member-index.ts';

export class Alerting implements AsyncDisposable {
  readonly #events: EventStore;
  readonly #memberIndex: () => MemberIndex;
  readonly #log: Log;
  readonly #kinds: IncidentKinds;
  #written = '';
  #alerts: Alerts | undefined;
  readonly #ending = new Set<Promise<void>>();

  constructor(events: EventStore, memberIndex: () => MemberIndex, log: Log, kinds: IncidentKinds) {
    this.#events = events;
    this.#memberIndex = memberIndex;
    this.#log = log;
    this.#kinds = kinds;
  }

  follow(settings: AlertSettings): void {
    const written = JSON.stringify(settings);
    if (written === this.#written) return;
    this.#written = written;
    this.#end();
    if (settings.rules.length === 0) return;
    this.#alerts = new Alerts({
      settings,
      kinds: this.#kinds,
      ledger: this.#events,
      who: (member) => this.#who(member),
      log: (line) => this.#log.warn(line),
    });
  }

  consider(incidents: readonly Incident[]): void {
    this.#alerts?.consider(
      Date.now(),
      incidents.map((incident) => ({
        incident,
        evidence: () => this.#evidence(incident),
      })),
    );
  }

  raise(alarms: readonly Alarm[]): void {
    if (alarms.length > 0) this.#alerts?.raise(Date.now(), alarms);
  }

  #evidence({ id }: Incident): readonly Snapshot[] {
    const found = this.#events.incident(id);
    return found.ok ? (found.value?.evidence ?? []) : [];
  }

  async test(): Promise<AlertsTestResponse['results']> {
    return (await this.#alerts?.test()) ?? [];
  }

  #who(member: Member): AlertWho | undefined {
    const memberIndex = this.#memberIndex();
    const entry = memberIndex.entries.get(member);
    if (entry === undefined) return undefined;
    const { who, account, mail, resellerUid } = entry;
    const reseller =
      resellerUid === undefined ? undefined : memberIndex.entries.get(`r${resellerUid}`);
    return {
      member,
      uid: who.uid,
      name: who.name,
      account,
      mail,
      reseller: reseller?.account,
      resellerMail: reseller?.mail,
      package: who.package,
    };
  }

  #end(): void {
    const ending = this.#alerts?.[Symbol.asyncDispose]();
    this.#alerts = undefined;
    if (ending === undefined) return;
    const ended = ending.finally(() => this.#ending.delete(ended));
    this.#ending.add(ended);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#end();
    await Promise.all(this.#ending);
  }
}
