/**
 * The daemon: observe → model → detect → record, once a tick; everything else only enqueues.
 *
 * The kernel enforces limits whether this runs or not. The daemon applies changes of the policy and
 * the accounts, moves processes into their cgroups, and keeps history.
 */
import { mkdirSync } from 'node:fs';
import { latestChanges } from '../apply/read-changes.ts';
import type { ChildApplied } from '../apply/apply-request.ts';
import type { Driver } from '../host/driver.ts';
import { lockFile } from '../sys/files/flock.ts';
import { agentLock, consoleAgentSocketOf, jailSocketDirectory } from '../host/paths.ts';
import { keepWatchdogQuiet } from '../sys/sockets/systemd-notify.ts';
import type { DriverName } from '../policy/document.ts';
import { defaultSettings, type AgentSettings } from '../policy/settings.ts';
import { detectFaults, observedFaults } from '../usage/detect.ts';
import type { Fault } from '../usage/fault.ts';
import { measure } from '../usage/measure.ts';
import { causedBy, failed, formatProblem, type Problem } from '../../packages/base/problem.ts';
import { ok, type Result } from '../../packages/base/result.ts';
import { causeOf } from '../../packages/base/io/errno.ts';
import type { AgentContext } from './api/request-context.ts';
import { compose, now, type AgentCore, type AgentOptions, type Composition } from './compose.ts';
import type { PlacementStatus } from './api/status-response.ts';
import { topRows } from './responses/top.ts';
import { socketOf } from './api/client.ts';
import { DigestChoiceFile } from '../host/digest-choices.ts';
import { readHostFigures } from '../host/host-figures.ts';
import { panelRecordPath } from '../host/panel-record.ts';
import { databaseFigures, networkFigures } from './sampling/part-figures.ts';
import { PartReadings } from './sampling/part-readings.ts';
import { TenantFigures } from './sampling/tenant-figures.ts';
import { DiskUsages } from './sampling/disk-usages.ts';
import { haltFaults } from './sampling/halt-fault.ts';
import { IoShifter } from './sampling/io-shifter.ts';
import { fleetEngine } from './fleet/fleet-engine.ts';
import { cpuLimitNow, type ReportedFault } from './part.ts';
import { Meter } from './sampling/meter.ts';
import { placementTargets } from './placer/placement.ts';
import { MemberIndex } from './sampling/member-index.ts';
import { ControlServer } from './api/server/server.ts';
import { agentStatus } from './api/status.ts';
import { notGoingBack } from './policy/goes-back/going-back-file.ts';
import { ChangePace } from './changes/change-pace.ts';
import { ConsolePeers } from './sessions/console-peers.ts';
import { followFiles } from '../sys/files/follow-files.ts';

/**
 * How long to wait for the lock that another agent holds; a check whether there is one takes it
 * only for a moment.
 */
const lockMilliseconds = 200;
/** A cgroup that vanished is created again at most this often. */
const remakeMilliseconds = 5_000;

export class Agent implements AsyncDisposable {
  readonly #loginPace = new ChangePace('log in to the console');
  readonly #digestPace = new ChangePace('change your digest');
  readonly #digestChoices: DigestChoiceFile;
  readonly #options: AgentOptions;
  readonly #cleanup: AsyncDisposableStack;
  readonly #composed: Composition;
  readonly #tenantFigures: TenantFigures;
  readonly #startedAt = Date.now();
  #memberIndex = new MemberIndex();
  #generation = 0;
  #settings: AgentSettings = defaultSettings;
  #driver: Driver | undefined;
  #meter: Meter | undefined;
  #shifter: IoShifter | undefined;
  #lastTick: number;
  #tickDurationSeconds = 0;
  #lastRemake = -Infinity;
  #slow = 0;
  #isStopping = false;
  readonly #diskUsages: DiskUsages;
  readonly #databases = new PartReadings(databaseFigures);
  readonly #network = new PartReadings(networkFigures);
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
    this.#options = options;
    this.#cleanup = cleanup;
    this.#diskUsages = new DiskUsages(options.host.paths);
    this.#digestChoices = new DigestChoiceFile(options.host.paths);
    this.#lastTick = performance.now();
    const core: AgentCore = {
      memberIndex: () => this.#memberIndex,
      generation: () => this.#generation,
      driver: () => this.#driver,
      context: () => this.#context(),
      tick: () => this.#tick(),
      adopt: (applied) => this.#adopt(applied),
      remake: (cgroups) => this.#remake(cgroups),
      halted: (tenants) => this.#halted.push(...tenants),
    };
    this.#composed = compose(options, core, cleanup);
    this.#tenantFigures = new TenantFigures(options.parts, this.#composed.membership);
  }

  /** Listens early, so that callers hear that it is starting; the rest may take minutes. */
  async #begin(): Promise<Result<void, Problem>> {
    const { host, notifier, log } = this.#options;
    this.#cleanup.use(keepWatchdogQuiet(notifier));
    const server = new ControlServer(this.#composed.api);
    this.#cleanup.use(server);
    const listens = await server.listenOnSocket(socketOf(host.paths));
    if (!listens.ok) return listens;
    const inJails = await server.listenForJails(jailSocketDirectory(host.paths));
    const { console: access, names } = this.#composed;
    const front = new ConsolePeers(access, names);
    const forConsole = await server.listenFor(front, consoleAgentSocketOf(host.paths));
    // Everything else works without them.
    for (const each of [inJails, forConsole]) if (!each.ok) log.error(formatProblem(each.error));
    void this.#applyFirst();
    return ok(undefined);
  }

  async #applyFirst(): Promise<void> {
    const { log } = this.#options;
    // What changes during the first apply, which may take minutes, counts as well.
    this.#cleanup.use(followFiles(this.#followed(), () => this.refresh()));
    this.#composed.startup.enter('applying the policy', () => this.#composed.reconciler.progress);
    await this.#composed.policy.begin();
    await this.#composed.fleet?.begin(
      fleetEngine(this.#composed, {
        memberIndex: () => this.#memberIndex,
        settings: () => this.#settings,
        paths: this.#options.host.paths,
      }),
    );
    await this.#composed.reconciler.refresh();
    if (this.#isStopping) return;
    this.#composed.placement.start();
    this.#composed.startup.enter('scanning all processes', () => this.#composed.placement.progress);
    this.#composed.ticker.start(this.#settings.intervalSeconds * 1000);
    log.info(`Started with process id ${process.pid}; tenants continue when it is stopped`);
    this.#composed.fleet?.begun();
    await this.#composed.placement.begun();
    if (this.#isStopping) return;
    // Units that are started after this one start nothing that the agent does not see.
    this.#composed.startup.end('READY=1', `STATUS=${this.#memberIndex.tenants} tenants`);
  }

  /** Returns the files that decide what the policy means on this host. */
  #followed(): readonly string[] {
    const { host, policyFile } = this.#options;
    const names = ['passwd', 'group', 'nsswitch.conf', 'login.defs', 'subuid'];
    const hosts = names.map((name) => `${host.paths.etc}/${name}`);
    return [policyFile, panelRecordPath(host.paths), ...hosts];
  }

  /** Reads the policy and the accounts again. */
  refresh(): void {
    this.#composed.policy.noticeEdit();
    void this.#composed.reconciler.refresh();
  }

  /** Takes over a policy that has been applied. */
  #adopt({ policy, driver: name, homes }: ChildApplied): void {
    const memberIndex = new MemberIndex(policy);
    this.#memberIndex = memberIndex;
    this.#followHolders(memberIndex, homes);
    // Pages must notice a restart, too.
    this.#generation = Math.max(Date.now(), this.#generation + 1);
    this.#composed.latest.follow(memberIndex.entries);
    this.#settings = policy.agent;
    this.#composed.ticker.setInterval(policy.agent.intervalSeconds * 1000);
    this.#composed.alerting.follow(policy.agent.alerts);
    void this.#composed.tcp.follow(policy.agent);
    for (const part of this.#options.parts) part.adopt?.(policy, homes);
    const driver = this.#probe(name);
    if (driver === undefined) return;
    if (this.#meter === undefined) this.#meter = new Meter(driver.tree, memberIndex);
    else this.#meter.follow(memberIndex);
    this.#shifter ??= new IoShifter(driver.tree, driver.capabilities.devices);
    this.#shifter.follow(memberIndex);
    const { paths } = this.#options.host;
    this.#composed.placement.setTargets(placementTargets(policy, paths, driver.tree));
    this.#printFileErrors(this.#meter.slow);
  }

  /** Forgets what is known of the previous owner of a uid when it has a new one. */
  #followHolders(memberIndex: MemberIndex, homes: ReadonlyMap<number, string>): void {
    const { begun, saved } = this.#composed.membership.follow(
      memberIndex.entries,
      homes,
      Date.now(),
    );
    this.#composed.latest.forget(begun);
    this.#composed.recorder.forget(begun);
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
    this.#meter?.[Symbol.dispose]();
    this.#meter = undefined;
    this.#shifter?.[Symbol.dispose]();
    this.#shifter = undefined;
    this.#driver?.[Symbol.dispose]();
    this.#driver = probed.value;
    return probed.value;
  }

  #tick(): void {
    const moment = now();
    const seconds = (moment.monotonic - this.#lastTick) / 1000;
    this.#lastTick = moment.monotonic;
    const { readings: kernel, missing } = this.#meter?.sample() ?? { readings: [], missing: [] };
    const { entries } = this.#memberIndex;
    const { databaseUse, networkUse } = this.#tenantFigures;
    const atSeconds = moment.monotonic / 1000;
    const withDatabases = this.#databases.with(kernel, entries, databaseUse, atSeconds);
    const readings = this.#network.with(withDatabases, entries, networkUse, atSeconds);
    this.#shifter?.shift(readings, moment.monotonic, this.#settings.intervalSeconds);
    const tick = measure(readings, moment.at, seconds);
    const reported = this.#reportedFaults();
    const faults = [
      ...readings.flatMap((each) => {
        const { values = {}, observed } = this.#memberIndex.entries.get(each.member) ?? {};
        const hits = detectFaults(each, seconds, values);
        return observed === undefined
          ? hits
          : [...hits, ...observedFaults(each, seconds, observed)];
      }),
      ...this.#halted.splice(0).flatMap((uid) => haltFaults(uid, this.#memberIndex)),
      ...reported.map(withoutEvidence),
    ];
    this.#composed.latest.update(tick, readings, faults, moment);
    this.#composed.recorder.record(tick, faults, moment, this.#settings.history, reported);
    this.#composed.fleet?.see({ at: moment.at, seconds, faults, missing });
    if (missing.length > 0) this.#remake(missing);
    if (this.#composed.reconciler.wantsRetry) this.refresh();
    for (const part of this.#options.parts)
      part.afterTick?.(() => this.#rows(), this.#memberIndex.defaults);
    this.#composed.alerting.raise([
      ...this.#options.parts.flatMap((part) => part.takeAlarms?.() ?? []),
      ...this.#composed.policy.takeAlarms(),
    ]);
    this.#tickDurationSeconds = (performance.now() - moment.monotonic) / 1000;
  }

  #reportedFaults(): readonly ReportedFault[] {
    return this.#options.parts
      .flatMap((part) => part.takeFaults?.() ?? [])
      .filter(({ member }) => this.#memberIndex.entries.has(member));
  }

  #rows() {
    return topRows([...this.#memberIndex.entries.values()], this.#composed.latest, this.#lastTick);
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
    const web = this.#options.parts.find(({ servedSites }) => servedSites !== undefined);
    const figures = this.#tenantFigures;
    return {
      latest: this.#composed.latest,
      memberIndex: this.#memberIndex,
      membership: this.#composed.membership,
      history: this.#composed.history,
      events: this.#composed.events,
      kinds: this.#options.kinds,
      evidence: this.#composed.evidence,
      siteLimits: this.#composed.siteLimits,
      policy: this.#composed.policy,
      console: this.#composed.console,
      loginPace: this.#loginPace,
      generation: this.#generation,
      intervalSeconds: this.#settings.intervalSeconds,
      digestPace: this.#digestPace,
      digestChoices: this.#digestChoices,
      apps: this.#composed.appChanges,
      fleet: this.#composed.fleet,
      servedSites: async (uid, wanted) => (await web?.servedSites?.(uid, wanted)) ?? ok(new Set()),
      entriesCountedSince: () =>
        this.#options.parts
          .map((part) => part.entriesCountedSince?.())
          .find((since) => since !== undefined),
      driver: this.#driver,
      historyPush: this.#settings.history.pushUrl,
      state: this.#options.host.paths.state,
      starting: this.#composed.startup.status,
      lastTick: this.#lastTick,
      status: () => this.#status(),
      protections: () => this.#options.parts.flatMap((part) => part.protection?.() ?? []),
      sentByWebOf: ({ who }) => figures.sentByWeb(who),
      mailOf: ({ who }) => figures.mail(who),
      databaseUseOf: ({ who }) =>
        who.kind === 'tenant' ? figures.databaseUse(who.uid) : undefined,
      networkUseOf: ({ who }) => (who.kind === 'tenant' ? figures.networkUse(who.uid) : undefined),
      cpuLimitNowOf: ({ who }) => cpuLimitNow(this.#options.parts, who.member),
      diskUsages: () => this.#diskUsages.latest(this.#memberIndex),
      hostFigures: () => readHostFigures(this.#options.host.paths),
      freshStatus: async () =>
        this.#composed.startup.status === undefined
          ? this.#status(await this.#composed.placement.rescan())
          : this.#status(),
      latestChanges: (count) => latestChanges(this.#options.host.paths, count),
      testAlerts: async () => ({ results: await this.#composed.alerting.test() }),
    };
  }

  #status(placement: PlacementStatus = this.#composed.placement.status()) {
    return agentStatus({
      version: this.#options.version,
      instance: this.#options.host.paths.instance,
      startedAt: this.#startedAt,
      starting: this.#composed.startup.status,
      driver: this.#driver,
      policy: this.#composed.reconciler.state,
      notGoingBack: notGoingBack(this.#options.host.paths),
      memberIndex: this.#memberIndex,
      placement,
      latest: this.#composed.latest,
      intervalSeconds: this.#settings.intervalSeconds,
      tickDurationSeconds: this.#tickDurationSeconds,
      metrics: this.#composed.metrics,
      problem: this.#composed.recorder.problem,
      tcp: this.#composed.tcp.status,
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
