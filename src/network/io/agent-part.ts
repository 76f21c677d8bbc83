/**
 * The agent's part: puts the network rules of the policy in force, and tells what tenants use and what they were
 * refused. Without a rule in the policy no program is loaded, and nothing is counted.
 *
 * The kernel holds the rules, not this process: they stay while no agent runs, and the next one takes the programs over.
 */
import { failed, formatProblem, type Problem } from '../../../packages/base/problem.ts';
import { causeOf } from '../../../packages/base/io/errno.ts';
import { ok, type Result } from '../../../packages/base/result.ts';
import type { MailCount } from '../../agent/api/usage-api.ts';
import type { Log } from '../../agent/log.ts';
import type { AgentPart, Alarm, NetworkUse as TimedUse, ReportedFault } from '../../agent/part.ts';
import type { Paths } from '../../host/paths.ts';
import { nameOf, type Policy } from '../../policy/policy.ts';
import { AttemptTally } from '../core/attempt-tally.ts';
import { rateFaults } from '../core/rate-faults.ts';
import type { NetworkRules } from '../core/rules.ts';
import { noRefusals, type RefusalCounts } from '../core/told-refusals.ts';
import type { NetworkRefusalKind, NetworkUse } from '../core/use.ts';
import { hasSendLimit, HostRules, keptPorts, ownerOfPort } from './host-rules.ts';
import { MailCounts } from './mail/mail-counts.ts';
import { MailLogPart } from './mail/mail-log-part.ts';
import { NetworkPrograms, type NetworkPlace } from './programs/network-programs.ts';
import { PacedDevices } from './qdiscs/paced-devices.ts';
import { reservePorts } from './reserved-ports.ts';
import { ToldFile } from './told-file.ts';

/** Addresses of the host, pools and queues of devices come and go. */
const followMilliseconds = 60_000;
/** Everything within a tick is of one reading. */
const readingMilliseconds = 250;
/** The maximum number of refusals per tick. The programs report a few a second of each tenant. */
const refusalsMax = 4_000;

export const networkPart = (paths: Paths, log: Log): AgentPart => new NetworkPart(paths, log);

interface Reading {
  readonly atSeconds: number;
  readonly uses: ReadonlyMap<number, NetworkUse>;
}

interface InForce {
  readonly policy: Policy;
  readonly rules: NetworkRules;
  readonly programs: NetworkPrograms;
}

export class NetworkPart implements AgentPart {
  readonly #paths: Paths;
  readonly #place: NetworkPlace;
  readonly #log: Log;
  readonly #devices: PacedDevices;
  readonly #rules: HostRules;
  readonly #mail: MailLogPart;
  readonly #tally = new AttemptTally();
  readonly #told: ToldFile;
  readonly #logged = new Map<string, string>();
  readonly #alarms: Alarm[] = [];
  #policy: Policy | undefined;
  #inForce: InForce | undefined;
  #timer: NodeJS.Timeout | undefined;
  #reading: Reading | undefined;
  /** The reading of the tick before. */
  #before: Reading | undefined;

  constructor(paths: Paths, log: Log, place: NetworkPlace = paths) {
    this.#paths = paths;
    this.#place = place;
    this.#log = log;
    this.#devices = new PacedDevices(paths);
    this.#rules = new HostRules(paths);
    this.#told = new ToldFile(paths);
    this.#mail = new MailLogPart(new MailCounts(paths));
  }

  adopt(policy: Policy): void {
    this.#policy = policy;
    this.#mail.adopt(policy);
    clearTimeout(this.#timer);
    // Programs take a moment to load.
    this.#timer = setTimeout(() => this.#follow(), 0).unref();
  }

  /** Makes the kernel what the policy says, now and each minute. */
  #follow(): void {
    if (this.#policy === undefined) return;
    this.#timer = setTimeout(() => this.#follow(), followMilliseconds).unref();
    try {
      this.#makeSo(this.#policy);
    } catch (error) {
      this.#fail({ action, ...causeOf(error) });
    }
  }

  #makeSo(policy: Policy): void {
    const rules = this.#rules.of(policy);
    if (rules === undefined) this.#end();
    else this.#enforce(policy, rules);
    this.#tell('ports', reservePorts(this.#paths, rules === undefined ? [] : keptPorts(rules)));
    void this.#pace(rules !== undefined && hasSendLimit(rules));
  }

  #enforce(policy: Policy, rules: NetworkRules): void {
    const known = this.#inForce?.programs;
    const generation = known?.generation;
    if (known?.areInForce === false) this.#alarms.push(removed);
    const put = putInForce(known, rules, this.#place);
    if (!put.ok) return this.#fail(put.error);
    this.#tell('programs', []);
    this.#inForce = { policy, rules, programs: put.value };
    this.#reading = undefined;
    const isNew = generation !== put.value.generation;
    if (isNew) this.#before = undefined;
    const counts = refusalsOf(this.#read()?.uses);
    this.#tally.begin(counts, isNew ? this.#toldOf(put.value.generation, counts) : undefined);
  }

  /** Returns the refusals that are in incidents: others, from a time without an agent, get one. */
  #toldOf(generation: string, counts: ReadonlyMap<number, RefusalCounts>) {
    const told = this.#told.read(generation)?.counts;
    if (told === undefined) return counts;
    return new Map([...counts.keys()].map((uid) => [uid, told.get(uid) ?? noRefusals]));
  }

  /** The rules of before stay, as far as they were in force. */
  #fail(problem: Problem): void {
    if (!this.#logged.has('programs')) this.#alarms.push(notInForce(problem));
    this.#tell('programs', [problem]);
  }

  /** Nothing is limited any more, and the kernel forgets what it counted. */
  #end(): void {
    this.#inForce?.programs[Symbol.dispose]();
    this.#inForce = undefined;
    this.#reading = undefined;
    this.#before = undefined;
    const unloaded = NetworkPrograms.unload(this.#place);
    this.#tell('programs', unloaded.ok ? [] : [unloaded.error]);
  }

  async #pace(isWanted: boolean): Promise<void> {
    try {
      const { support, reason } = await this.#devices.adopt(isWanted);
      if (isWanted) this.#tellText('devices', support === 'full' ? '' : `network send: ${reason}`);
    } catch (error) {
      this.#tell('devices', [{ action: 'set the qdiscs of devices', ...causeOf(error) }]);
    }
  }

  #read(): Reading | undefined {
    if (this.#inForce === undefined) return undefined;
    const atSeconds = performance.now() / 1000;
    const known = this.#reading;
    if (known !== undefined && (atSeconds - known.atSeconds) * 1000 < readingMilliseconds)
      return known;
    this.#reading = this.#inForce.programs.areInForce
      ? { atSeconds, uses: this.#inForce.programs.readUse() }
      : undefined;
    return this.#reading;
  }

  networkUse(uid: number): TimedUse | undefined {
    const reading = this.#read();
    const use = reading?.uses.get(uid);
    return reading === undefined || use === undefined
      ? undefined
      : { atSeconds: reading.atSeconds, ...use };
  }

  takeFaults(): readonly ReportedFault[] {
    const now = this.#read();
    if (now === undefined || this.#inForce === undefined) return [];
    const { policy, rules, programs } = this.#inForce;
    const at = Date.now();
    for (const each of programs.readRefusals(refusalsMax)) {
      const isLocal = each.kind === 'reach.tenants' || each.kind === 'listen.ports';
      this.#tally.add(each, at, isLocal ? ownerOfPort(rules, policy, each.port) : '');
    }
    const counts = refusalsOf(now.uses);
    const refused = this.#tally.take(counts, at, (uid, kind) => isWatched(rules, uid, kind));
    this.#tell('told', this.#told.write({ generation: programs.generation, counts }));
    const before = this.#before;
    this.#before = now;
    if (before === undefined) return refused;
    const seconds = now.atSeconds - before.atSeconds;
    const resellers = resellersOf(policy);
    const uses = { before: before.uses, now: now.uses, seconds };
    return [...refused, ...rateFaults(rules, resellers, uses)];
  }

  mail(uid: number, tenantSince: number): MailCount | undefined {
    return this.#mail.mail(uid, tenantSince);
  }

  takeAlarms(): readonly Alarm[] {
    return this.#alarms.splice(0);
  }

  /** Limits stay in force. */
  [Symbol.asyncDispose](): Promise<void> {
    clearTimeout(this.#timer);
    this.#policy = undefined;
    this.#inForce?.programs[Symbol.dispose]();
    this.#inForce = undefined;
    return this.#mail[Symbol.asyncDispose]();
  }

  #tell(about: string, problems: readonly Problem[]): void {
    this.#tellText(about, problems.map(formatProblem).join('; '));
  }

  /** Logs a text once while it lasts. */
  #tellText(about: string, text: string): void {
    if ((this.#logged.get(about) ?? '') === text) return;
    if (text === '') this.#logged.delete(about);
    else this.#logged.set(about, text);
    if (text !== '') this.#log.warn(text);
  }
}

function putInForce(
  known: NetworkPrograms | undefined,
  rules: NetworkRules,
  place: NetworkPlace,
): Result<NetworkPrograms, Problem> {
  if (known === undefined) return NetworkPrograms.load(rules, place);
  const problem = known.update(rules);
  return problem === undefined ? ok(known) : failed(problem);
}

const refusalsOf = (uses: ReadonlyMap<number, NetworkUse> = new Map()) =>
  new Map([...uses].map(([uid, { refusals }]) => [uid, refusals]));

/** Whether the policy only watches, where no report of a refusal says it. */
function isWatched({ tenants }: NetworkRules, uid: number, kind: NetworkRefusalKind): boolean {
  const tenant = tenants.find((each) => each.uid === uid);
  if (kind.startsWith('reach.')) return tenant?.reach?.mode === 'watch';
  return kind === 'listen.public' && tenant?.listen?.mode === 'watch';
}

const resellersOf = ({ resellers }: Policy) =>
  new Map(resellers.map((each) => [nameOf(each), each.uid] as const));

const action = 'put the network rules in force';
const about = 'network of tenants';
const notInForce = (problem: Problem): Alarm => ({
  about,
  title: 'network rules of the policy are not in force',
  text: `The network rules of the policy are not in force: ${formatProblem(problem)}. "bulkhead network status" shows more.`,
});
const removed: Alarm = {
  about,
  title: 'the BPF programs for network rules were removed',
  text: 'Somebody with the rights of root has removed the BPF programs that enforce network rules. The agent has loaded them again.',
};
