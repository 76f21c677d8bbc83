/**
 * The daemon: observe → model → detect → record, once a tick; everything else only enqueues.
 *
 * The kernel enforces limits whether this runs or not. The daemon applies changes of the policy and
 * the accounts, moves processes into their cgroups, and keeps history.
 */
import { mkdirSync } from 'node:fs';
import { AccountNames } from '../host/accounts/account-names.ts';
import type { Applied } from '../apply/apply-request.ts';
import type { Driver } from '../host/driver.ts';
import { EvidenceReader } from '../host/evidence/evidence-reader.ts';
import { lockFile } from '../sys/files/flock.ts';
import type { InheritedSocket } from '../sys/sockets/inherited-sockets.ts';
import type { Host } from '../host/host.ts';
import { agentLock } from '../host/paths.ts';
import type { Notifier } from '../sys/sockets/systemd-notify.ts';
import { cgroupPath } from '../plan/slice.ts';
import type { DriverName } from '../policy/document.ts';
import { defaultSettings, type AgentSettings } from '../policy/settings.ts';
import { EventStore } from '../store/events/event-store.ts';
import { History } from '../store/history/history.ts';
import { MetricsStore } from '../store/metrics/metrics-store.ts';
import { detectFaults } from '../usage/detect.ts';
import type { Fault } from '../usage/fault.ts';
import type { IncidentKinds } from '../usage/incident-kinds.ts';
import type { Moment } from '../usage/incident-log.ts';
import { measure } from '../usage/measure.ts';
import { siteMember, tenantMember } from '../usage/member.ts';
import { causedBy, failed, formatProblem, type Problem } from '../../packages/base/problem.ts';
import { ok, type Result } from '../../packages/base/result.ts';
import { causeOf } from '../../packages/base/io/errno.ts';
import { Alerting } from './alerting.ts';
import type { AgentContext } from './api/request-context.ts';
import type { MailCount, PlacementStatus, Who } from './api/api.ts';
import { topRows } from './responses/top.ts';
import { processesOf } from './responses/processes.ts';
import { socketOf } from './api/client.ts';
import { IoShifter } from './sampling/io-shifter.ts';
import { PolicyReconciler } from './reconciler.ts';
import { LatestSample } from './sampling/latest-sample.ts';
import type { Log } from './log.ts';
import type { AgentPart, ReportedFault } from './part.ts';
import { Membership } from './sampling/membership.ts';
import { Meter } from './sampling/meter.ts';
import { ConnectorPlacement, placementTargets } from './placer/placement.ts';
import { placerTree } from './placer/placer-hierarchies.ts';
import { Recorder } from './sampling/recorder.ts';
import { SiteLimitChanges } from './site-limits/site-limit-changes.ts';
import { MemberIndex, type Entry } from './sampling/member-index.ts';
import { makeApi, type Api } from './api/routes.ts';
import { ControlServer } from './api/server.ts';
import { describeAgent } from './api/status.ts';
import { TcpListener } from './api/tcp-listener.ts';
import { Startup } from './startup.ts';
import { Ticker } from './ticker.ts';
import { followFiles } from './watch.ts';

interface AgentOptions {
  readonly policyFile: string;
  readonly host: Host;
  readonly log: Log;
  readonly notifier: Notifier;
  readonly version: string;
  /** The sockets on which a service manager listens for this agent. */
  readonly inherited?: readonly InheritedSocket[];
  readonly parts: readonly AgentPart[];
  readonly kinds: IncidentKinds;
}

/**
 * How long to wait for the lock that another agent holds; a check whether there is one takes it
 * only for a moment.
 */
const lockMilliseconds = 200;
/** A cgroup that vanished is created again at most this often. */
const remakeMilliseconds = 5_000;

export class Agent implements AsyncDisposable {
  readonly #options: AgentOptions;
  readonly #cleanup: AsyncDisposableStack;
  readonly #reconciler: PolicyReconciler;
  readonly #siteLimits: SiteLimitChanges;
  readonly #latest = new LatestSample();
  readonly #metrics: MetricsStore;
  readonly #events: EventStore;
  readonly #history: History;
  readonly #evidence: EvidenceReader;
  readonly #membership: Membership;
  readonly #placement: ConnectorPlacement;
  readonly #recorder: Recorder;
  readonly #alerting: Alerting;
  readonly #ticker: Ticker;
  readonly #api: Api;
  readonly #tcp: TcpListener;
  readonly #parts: readonly AgentPart[];
  readonly #startedAt = Date.now();
  readonly #startup: Startup;
  #memberIndex = new MemberIndex();
  #settings: AgentSettings = defaultSettings;
  #driver: Driver | undefined;
  #meter: Meter | undefined;
  #shifter: IoShifter | undefined;
  #lastTick: number;
  #tickDurationSeconds = 0;
  #lastRemake = -Infinity;
  #slow = 0;
  #isStopping = false;
  /** Tenants that had to be stopped since the last tick because they forked too fast. */
  readonly #halted: number[] = [];

  /** Starts the agent, if no other runs for this instance. */
  static async start(options: AgentOptions): Promise<Result<Agent, Problem>> {
    const { paths } = options.host;
    try {
      mkdirSync(paths.runtime, { recursive: true, mode: 0o755 });
    } catch (error) {
      return failed({ action: 'create the directory', object: paths.runtime, ...causeOf(error) });
    }
    const lock = lockFile(agentLock(paths), { waitMs: lockMilliseconds });
    if (!lock.ok) {
      const hint = 'only one agent can run per instance';
      return failed({ action: 'start the agent', ...causedBy(lock.error), hint });
    }
    const cleanup = new AsyncDisposableStack();
    cleanup.use(lock.value);
    const agent = new Agent(options, cleanup);
    try {
      const begun = await agent.#begin();
      if (begun.ok) return ok(agent);
      await cleanup.disposeAsync();
      return begun;
    } catch (error) {
      await cleanup.disposeAsync();
      throw error;
    }
  }

  private constructor(options: AgentOptions, cleanup: AsyncDisposableStack) {
    const { host, log, policyFile, kinds } = options;
    const { paths } = host;
    this.#options = options;
    this.#cleanup = cleanup;
    const store = `${paths.state}/history`;
    this.#metrics = cleanup.use(new MetricsStore(store));
    this.#events = cleanup.use(new EventStore(store, { kinds }));
    this.#membership = new Membership(this.#events, new AccountNames(paths));
    this.#history = cleanup.use(
      new History(store, { onDamage: (reason) => void this.#metrics.setAsideDamaged(reason) }),
    );
    this.#startup = cleanup.use(new Startup(options.notifier.notify));
    this.#evidence = cleanup.use(new EvidenceReader(paths.proc));
    this.#lastTick = performance.now();
    this.#alerting = cleanup.use(new Alerting(this.#events, () => this.#memberIndex, log, kinds));
    this.#recorder = cleanup.use(this.#makeRecorder());
    this.#placement = cleanup.use(
      new ConnectorPlacement({
        log: (line) => log.warn(line),
        onMissingCgroup: (cgroups) => this.#remake(cgroups),
        onHalted: (tenants) => this.#halted.push(...tenants),
        haltFile: `${paths.runtime}/stopped.json`,
      }),
    );
    this.#api = makeApi(() => this.#context(), log);
    this.#tcp = cleanup.use(new TcpListener(this.#api, log, options.inherited));
    this.#parts = options.parts;
    for (const part of options.parts)
      cleanup.defer(async () => {
        await part[Symbol.asyncDispose]?.();
      });
    this.#ticker = cleanup.use(new Ticker(() => this.#tick()));
    // Stopped first: it drives the others.
    this.#reconciler = cleanup.use(
      new PolicyReconciler(policyFile, paths, log, (applied) => this.#adopt(applied)),
    );
    this.#siteLimits = cleanup.use(
      new SiteLimitChanges({
        paths,
        apply: () => this.#reconciler.nextRun(),
        log: (line) => log.info(line),
        problemOf: (cgroup) => this.#reconciler.siteProblem(cgroup),
        valuesOf: (uid, site) => this.#memberIndex.entries.get(siteMember(uid, site))?.values ?? {},
      }),
    );
  }

  /** Listens early, so that callers hear that it is starting; the rest may take minutes. */
  async #begin(): Promise<Result<void, Problem>> {
    const { host, notifier } = this.#options;
    this.#cleanup.use(keepWatchdogQuiet(notifier));
    const server = new ControlServer(this.#api);
    this.#cleanup.use(server);
    const listens = await server.listenOnSocket(socketOf(host.paths));
    if (!listens.ok) return listens;
    void this.#applyFirst();
    return ok(undefined);
  }

  async #applyFirst(): Promise<void> {
    const { host, policyFile, log } = this.#options;
    const { etc } = host.paths;
    this.#startup.enter('applying the policy', () => this.#reconciler.progress);
    await this.#reconciler.refresh();
    if (this.#isStopping) return;
    this.#placement.start();
    this.#startup.enter('scanning all processes', () => this.#placement.progress);
    const names = ['passwd', 'group', 'nsswitch.conf', 'login.defs', 'subuid'];
    const files = [policyFile, ...names.map((name) => `${etc}/${name}`)];
    this.#cleanup.use(followFiles(files, () => this.refresh()));
    this.#ticker.start(this.#settings.intervalSeconds * 1000);
    log.info(`Started with process id ${process.pid}; tenants continue when it is stopped`);
    await this.#placement.begun();
    if (this.#isStopping) return;
    // Units that are started after this one start nothing that the agent does not see.
    this.#startup.end('READY=1', `STATUS=${this.#memberIndex.tenants} tenants`);
  }

  /** Reads the policy and the accounts again. */
  refresh(): void {
    void this.#reconciler.refresh();
  }

  #makeRecorder(): Recorder {
    const parts = {
      metrics: this.#metrics,
      events: this.#events,
      evidence: this.#evidence,
      latest: this.#latest,
      log: this.#options.log,
      memberIndex: () => this.#memberIndex,
      kinds: this.#options.kinds,
      processes: (entry: Parameters<typeof processesOf>[0]) =>
        this.#driver === undefined ? [] : processesOf(entry, this.#memberIndex, this.#driver),
      memoryCgroup: (entry: Entry) => this.#memoryCgroup(entry.cgroup),
      onIncidents: (incidents: Parameters<Alerting['consider']>[0]) =>
        this.#alerting.consider(incidents),
    };
    return new Recorder(parts, now());
  }

  /** Returns the cgroup's path as the kernel log names it. */
  #memoryCgroup(cgroup: string): string | undefined {
    const tree = this.#driver?.tree;
    if (tree === undefined) return undefined;
    const index = tree.hierarchies.findIndex((each) => each.controllers.has('memory'));
    const found = placerTree(this.#options.host.paths, tree).hierarchies[index];
    return found && cgroupPath(found, cgroup);
  }

  /** Takes over a policy that has been applied. */
  #adopt({ policy, driver: name, homes }: Applied): void {
    const memberIndex = new MemberIndex(policy);
    this.#memberIndex = memberIndex;
    this.#followHolders(memberIndex, homes);
    this.#latest.follow(memberIndex.entries);
    this.#settings = policy.agent;
    this.#ticker.setInterval(policy.agent.intervalSeconds * 1000);
    this.#alerting.follow(policy.agent.alerts);
    void this.#tcp.follow(policy.agent);
    for (const part of this.#parts) part.adopt?.(policy);
    const driver = this.#probe(name);
    if (driver === undefined) return;
    if (this.#meter === undefined) this.#meter = new Meter(driver.tree, memberIndex);
    else this.#meter.follow(memberIndex);
    this.#shifter ??= new IoShifter(driver.tree, driver.capabilities.devices);
    this.#shifter.follow(memberIndex);
    const { paths } = this.#options.host;
    this.#placement.setTargets(placementTargets(policy, paths, driver.tree));
    this.#printFileErrors(this.#meter.slow);
  }

  /** Forgets what is known of the previous owner of a uid when it has a new one. */
  #followHolders(memberIndex: MemberIndex, homes: ReadonlyMap<number, string>): void {
    const { begun, saved } = this.#membership.follow(memberIndex.entries, homes, Date.now());
    this.#latest.forget(begun);
    this.#recorder.forget(begun);
    if (!saved.ok) this.#options.log.error(formatProblem(saved.error));
  }

  #printFileErrors(slow: number): void {
    if (slow > 0 && slow !== this.#slow) {
      this.#options.log.warn(
        `${slow} tenants are measured by a slower method, since this process may not open more files; raise LimitNOFILE`,
      );
    }
    this.#slow = slow;
  }

  /** Probes each driver once, when it comes into force: it keeps the mounts open. */
  #probe(name: DriverName): Driver | undefined {
    if (this.#driver?.capabilities.driver === name) return this.#driver;
    const probed = this.#options.host.probe(name);
    if (!probed.ok) {
      this.#options.log.error(formatProblem(probed.error));
      return undefined;
    }
    this.#driver = probed.value;
    this.#meter?.[Symbol.dispose]();
    this.#meter = undefined;
    this.#shifter?.[Symbol.dispose]();
    this.#shifter = undefined;
    return probed.value;
  }

  #tick(): void {
    const moment = now();
    const seconds = (moment.monotonic - this.#lastTick) / 1000;
    this.#lastTick = moment.monotonic;
    const { readings, missing } = this.#meter?.sample() ?? { readings: [], missing: [] };
    this.#shifter?.shift(readings, moment.monotonic, this.#settings.intervalSeconds);
    const tick = measure(readings, moment.at, seconds);
    const reported = this.#reportedFaults();
    const faults = [
      ...readings.flatMap((each) =>
        detectFaults(each, seconds, this.#memberIndex.entries.get(each.member)?.values ?? {}),
      ),
      ...this.#halted.splice(0).flatMap((uid) => haltFault(uid, this.#memberIndex)),
      ...reported.map(withoutEvidence),
    ];
    this.#latest.update(tick, readings, faults, moment);
    this.#recorder.record(tick, faults, moment, this.#settings.history, reported);
    if (missing.length > 0) this.#remake(missing);
    if (this.#reconciler.wantsRetry) this.refresh();
    for (const part of this.#parts)
      part.afterTick?.(() => this.#rows(), this.#memberIndex.defaults);
    this.#alerting.raise(this.#parts.flatMap((part) => part.takeAlarms?.() ?? []));
    this.#tickDurationSeconds = (performance.now() - moment.monotonic) / 1000;
  }

  #reportedFaults(): readonly ReportedFault[] {
    return this.#parts
      .flatMap((part) => part.takeFaults?.() ?? [])
      .filter(({ member }) => this.#memberIndex.entries.has(member));
  }

  #rows() {
    return topRows([...this.#memberIndex.entries.values()], this.#latest, this.#lastTick);
  }

  /** Has cgroups created again that another program removed. */
  #remake(cgroups: readonly string[]): void {
    const since = performance.now() - this.#lastRemake;
    if (since < remakeMilliseconds) return;
    this.#lastRemake = performance.now();
    const shown = cgroups.slice(0, 5).join(', ');
    this.#options.log.warn(
      `Cgroups are missing (${cgroups.length}: ${shown}); creating them again`,
    );
    this.refresh();
  }

  #context(): AgentContext {
    const web = this.#parts.find(({ servedSites }) => servedSites !== undefined);
    return {
      latest: this.#latest,
      memberIndex: this.#memberIndex,
      membership: this.#membership,
      history: this.#history,
      events: this.#events,
      kinds: this.#options.kinds,
      evidence: this.#evidence,
      siteLimits: this.#siteLimits,
      servedSites: async (uid, wanted) => (await web?.servedSites?.(uid, wanted)) ?? ok(new Set()),
      driver: this.#driver,
      state: this.#options.host.paths.state,
      starting: this.#startup.status,
      lastTick: this.#lastTick,
      status: () => this.#status(),
      protections: () => this.#parts.flatMap((part) => part.protection?.() ?? []),
      mailOf: ({ who }) => (who.kind === 'tenant' ? this.#mailOf(who) : undefined),
      freshStatus: async () =>
        this.#startup.status === undefined
          ? this.#status(await this.#placement.rescan())
          : this.#status(),
      testAlerts: async () => ({ results: await this.#alerting.test() }),
    };
  }

  /** Counts the tenant's mail; there is none for an account that no policy was applied with yet. */
  #mailOf({ uid, member }: Who): MailCount | 'unknown' {
    const since = this.#membership.beginningOf(member);
    if (!Number.isFinite(since)) return 'unknown';
    return this.#parts.find(({ mail }) => mail !== undefined)?.mail?.(uid, since) ?? 'unknown';
  }

  #status(placement: PlacementStatus = this.#placement.status()) {
    return describeAgent({
      version: this.#options.version,
      instance: this.#options.host.paths.instance,
      startedAt: this.#startedAt,
      starting: this.#startup.status,
      driver: this.#driver,
      policy: this.#reconciler.state,
      memberIndex: this.#memberIndex,
      placement,
      latest: this.#latest,
      intervalSeconds: this.#settings.intervalSeconds,
      tickDurationSeconds: this.#tickDurationSeconds,
      metrics: this.#metrics,
      problem: this.#recorder.problem,
      tcp: this.#tcp.status,
    });
  }

  /** Stops the agent; tenants continue, and their limits stay in force. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#isStopping = true;
    this.#options.notifier.notify('STOPPING=1');
    await this.#cleanup.disposeAsync();
    this.#meter?.[Symbol.dispose]();
    this.#shifter?.[Symbol.dispose]();
    this.#options.log.info('Stopped; limits stay in force');
  }
}

/** Drops the evidence, which only an incident needs: faults are kept for minutes. */
function withoutEvidence({ evidence, ...fault }: ReportedFault): Fault {
  void evidence;
  return fault;
}

/**
 * Reports a fault of a tenant that forks too fast to be placed, which would be a way around the
 * processes limit.
 */
function haltFault(uid: number, memberIndex: MemberIndex): readonly Fault[] {
  const member = tenantMember(uid);
  if (!memberIndex.entries.has(member)) return [];
  return [{ member, limit: 'processes.limit', severity: 'refused', count: 1, inferred: false }];
}

/** Reports that the event loop is running. */
function keepWatchdogQuiet({ watchdogMilliseconds, notify }: Notifier): Disposable {
  if (watchdogMilliseconds === undefined) return { [Symbol.dispose]: () => {} };
  const timer = setInterval(() => notify('WATCHDOG=1'), watchdogMilliseconds / 3);
  return { [Symbol.dispose]: () => clearInterval(timer) };
}

const now = (): Moment => ({ at: Date.now(), monotonic: performance.now() });
