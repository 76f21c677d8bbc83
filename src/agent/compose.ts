/** Builds the parts of an agent, in the order in which they depend on each other; they end in the reverse order. */
import type { ChildApplied } from '../apply/apply-request.ts';
import { AccountNames } from '../host/accounts/account-names.ts';
import type { Driver } from '../host/driver.ts';
import { EvidenceReader } from '../host/evidence/evidence-reader.ts';
import type { Host } from '../host/host.ts';
import { cgroupPath } from '../plan/slice.ts';
import { EventStore } from '../store/events/event-store.ts';
import { History } from '../store/history/history.ts';
import { MetricsStore } from '../store/metrics/metrics-store.ts';
import type { InheritedSocket } from '../sys/sockets/inherited-sockets.ts';
import type { Notifier } from '../sys/sockets/systemd-notify.ts';
import type { IncidentKinds } from '../usage/incident-kinds.ts';
import type { Moment } from '../usage/incident-log.ts';
import { siteMember } from '../usage/member.ts';
import { Alerting } from './alerting.ts';
import type { AgentContext } from './api/request-context.ts';
import { makeApi, type Api } from './api/routes.ts';
import { TcpListener } from './api/server/tcp-listener.ts';
import type { FleetAgent } from './fleet/fleet-agent.ts';
import type { Log } from './log.ts';
import { cpuLimitNow, type AgentPart } from './part.ts';
import { ConnectorPlacement } from './placer/placement.ts';
import { placerTree } from './placer/placer-hierarchies.ts';
import { PolicyReconciler } from './reconciler.ts';
import { PolicyChanges } from './policy/policy-changes.ts';
import { memberProcesses } from './responses/processes.ts';
import { LatestSample } from './sampling/latest-sample.ts';
import type { MemberIndex } from './sampling/member-index.ts';
import { Membership } from './sampling/membership.ts';
import { MovedPruner } from './history/moved-pruner.ts';
import { Recorder } from './sampling/recorder.ts';
import { AppChanges } from './changes/app-changes.ts';
import { SiteLimitChanges } from './changes/site-limit-changes.ts';
import { ConsoleAccess } from './sessions/console-access.ts';
import { Startup } from './startup.ts';
import { Ticker } from './ticker.ts';

export interface AgentOptions {
  readonly policyFile: string;
  readonly host: Host;
  readonly log: Log;
  readonly notifier: Notifier;
  readonly version: string;
  /** The sockets on which a service manager listens for this agent. */
  readonly inherited?: readonly InheritedSocket[];
  readonly parts: readonly AgentPart[];
  /** The kinds of evidence that incidents may have. */
  readonly kinds: IncidentKinds;
}

/** The agent as its parts see it. */
export interface AgentCore {
  readonly memberIndex: () => MemberIndex;
  /** The number of policies adopted. */
  readonly generation: () => number;
  readonly driver: () => Driver | undefined;
  readonly context: () => AgentContext;
  readonly tick: () => void;
  /** Takes over a policy that has been applied. */
  readonly adopt: (applied: ChildApplied) => void;
  /** Has cgroups created again that another program removed. */
  readonly remake: (cgroups: readonly string[]) => void;
  /** Called with tenants that had to be stopped because they forked too fast. */
  readonly halted: (tenants: readonly number[]) => void;
}

export interface Composition {
  readonly latest: LatestSample;
  readonly metrics: MetricsStore;
  readonly events: EventStore;
  readonly membership: Membership;
  readonly names: AccountNames;
  readonly console: ConsoleAccess;
  readonly history: History;
  readonly startup: Startup;
  readonly evidence: EvidenceReader;
  readonly alerting: Alerting;
  readonly recorder: Recorder;
  readonly placement: ConnectorPlacement;
  readonly api: Api;
  readonly tcp: TcpListener;
  readonly ticker: Ticker;
  readonly reconciler: PolicyReconciler;
  readonly siteLimits: SiteLimitChanges;
  readonly policy: PolicyChanges;
  /** Absent if no part has applications. */
  readonly appChanges: AppChanges | undefined;
  /** Absent if no part keeps the host in a fleet. */
  readonly fleet: FleetAgent | undefined;
}

export const now = (): Moment => ({ at: Date.now(), monotonic: performance.now() });

export function compose(
  options: AgentOptions,
  core: AgentCore,
  cleanup: AsyncDisposableStack,
): Composition {
  const { kinds, log, notifier, policyFile } = options;
  const { paths } = options.host;
  const store = `${paths.state}/history`;
  const latest = new LatestSample();
  const metrics = cleanup.use(new MetricsStore(store));
  const events = cleanup.use(new EventStore(store, { kinds }));
  const names = new AccountNames(paths);
  const membership = new Membership(events, names);
  const knowsMembers = () => core.generation() > 0;
  const consoleAccess = cleanup.use(
    new ConsoleAccess({ paths, names, membership, knowsMembers, log }),
  );
  const onDamage = (reason: string) => void metrics.setAsideDamaged(reason);
  const history = cleanup.use(new History(store, { onDamage }));
  const startup = cleanup.use(new Startup(notifier.notify));
  const evidence = cleanup.use(new EvidenceReader(paths.proc));
  const alerting = cleanup.use(new Alerting(events, core.memberIndex, log, kinds));
  const sampled = { latest, metrics, events, evidence, alerting };
  const view = () => history.askedBy('administrator');
  const pruner = cleanup.use(new MovedPruner({ directory: store, history: view, log }));
  const recorder = cleanup.use(makeRecorder(options, core, { ...sampled, pruner }));
  const placement = cleanup.use(
    new ConnectorPlacement({
      log: (line) => log.warn(line),
      onMissingCgroup: core.remake,
      onHalted: core.halted,
      haltFile: `${paths.runtime}/stopped.json`,
    }),
  );
  const api = makeApi(core.context, log);
  const tcp = cleanup.use(new TcpListener(api, log, options.inherited));
  for (const part of options.parts)
    cleanup.defer(async () => {
      await part[Symbol.asyncDispose]?.();
    });
  const ticker = cleanup.use(new Ticker(core.tick));
  // Stopped first: it drives the others.
  const reconciler = cleanup.use(new PolicyReconciler(policyFile, paths, log, core.adopt));
  const siteLimits = cleanup.use(
    new SiteLimitChanges({
      paths,
      apply: () => reconciler.nextRun(),
      log: (line) => log.info(line),
      problemOf: (cgroup) => reconciler.siteProblem(cgroup),
      valuesOf: (uid, site) => core.memberIndex().entries.get(siteMember(uid, site))?.values ?? {},
    }),
  );
  const policy = cleanup.use(
    new PolicyChanges({
      paths,
      file: policyFile,
      log,
      apply: () => reconciler.nextRun(),
      state: () => reconciler.state,
    }),
  );
  const apps = options.parts.find((part) => part.apps !== undefined)?.apps;
  const appChanges = apps && cleanup.use(new AppChanges({ apps, log: (line) => log.info(line) }));
  const fleet = options.parts.find((part) => part.fleet !== undefined)?.fleet;
  const stored = { membership, names, console: consoleAccess, history, startup, recorder };
  const changes = { siteLimits, policy, appChanges, fleet };
  return { ...sampled, ...stored, placement, api, tcp, ticker, reconciler, ...changes };
}

interface Sampled extends Pick<
  Composition,
  'latest' | 'metrics' | 'events' | 'evidence' | 'alerting'
> {
  readonly pruner: MovedPruner;
}

function makeRecorder(
  { host, kinds, log, parts: agentParts }: AgentOptions,
  { memberIndex, driver }: AgentCore,
  { alerting, ...stores }: Sampled,
): Recorder {
  /** Returns the cgroup's path as the kernel log names it. */
  const memoryCgroup = (cgroup: string): string | undefined => {
    const tree = driver()?.tree;
    if (tree === undefined) return undefined;
    const index = tree.hierarchies.findIndex((each) => each.controllers.has('memory'));
    const found = placerTree(host.paths, tree).hierarchies[index];
    return found && cgroupPath(found, cgroup);
  };
  const parts = {
    ...stores,
    kinds,
    log,
    memberIndex,
    processes: (entry: Parameters<typeof memberProcesses>[0]) => {
      const current = driver();
      return current === undefined ? [] : memberProcesses(entry, memberIndex(), current);
    },
    memoryCgroup: ({ cgroup }: { readonly cgroup: string }) => memoryCgroup(cgroup),
    cpuLimitNow: ({ who }: Parameters<typeof memberProcesses>[0]) =>
      cpuLimitNow(agentParts, who.member),
    onIncidents: (incidents: Parameters<Alerting['consider']>[0]) => alerting.consider(incidents),
  };
  return new Recorder(parts, now());
}
