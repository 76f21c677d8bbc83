/** `bulkhead status`: which limits are in force, and what each tenant uses now. */
import { docPage } from '../../../sys/package-files.ts';
import type { Command } from 'commander';
import type { PlacementStatus, StatusResponse } from '../../../agent/api/status-response.ts';
import { briefly, callAgent } from '../../../agent/api/client.ts';
import { startingText } from '../../../agent/startup.ts';
import { placementTargets } from '../../../agent/placer/placement.ts';
import type { Driver } from '../../../host/driver.ts';
import type { Paths } from '../../../host/paths.ts';
import { probeDriver } from '../../../host/probe.ts';
import type { DriverName } from '../../../policy/document.ts';
import { findOutside } from '../../../agent/placer/outside.ts';
import { readStops, stopText, type Stop } from '../../../host/stops.ts';
import type { Counters, LimitKey, PeakCounter } from '../../../limits/limit.ts';
import { limitAttribute } from '../../../limits/limits.ts';
import { resellerCgroup, siteCgroup, tenantCgroup } from '../../../plan/wanted.ts';
import { nameOf, observesLimits, type Reseller, type Tenant } from '../../../policy/policy.ts';
import type { Problem } from '../../../../packages/base/problem.ts';
import { ok, type Result } from '../../../../packages/base/result.ts';
import { formatQuantity, unlimited } from '../../../../packages/base/quantity.ts';
import {
  examples,
  exitCodes,
  type CommandModule,
  type ExitCode,
  type PolicyOptions,
} from '../../shared/command.ts';
import { namesPolicy, policyOption } from '../../shared/policy-option.ts';
import { count, pathsFor, print, printJson, sayItWaits, withPolicy } from '../../shared/session.ts';
import {
  surveyEntryPaths,
  entryPathsLine,
  withOrigins,
  type CameOutside,
} from '../../shared/entry-paths.ts';
import { table, terminalOf } from '../../shared/terminal.ts';
import { shortBytes } from '../../../../packages/base/bytes.ts';
import { printable } from '../../../../packages/base/printable.ts';
import { countLayers, type Layer } from '../../../../packages/base/layer.ts';
import { capabilitiesOf, policyReaderOf, type Capability } from '../../capability.ts';
import { policyProblemOf, scoreLine, surveyLayers } from '../../layers/survey-layers.ts';
import { missingAccountsOf } from '../policy/missing-accounts.ts';
import type { MemberStatus, StatusJson, TenantStatus } from '../json.ts';

interface StatusOptions extends PolicyOptions {
  readonly all?: boolean;
  readonly score?: boolean;
}

async function status(options: StatusOptions, command: Command): Promise<ExitCode> {
  const paths = pathsFor(command);
  if (paths === undefined) return exitCodes.usage;
  const agent = await callAgent<StatusResponse>(
    paths,
    '/v1/status',
    { fresh: true },
    // Programs get everything; people prefer a fast answer with the known facts.
    { onSlow: sayItWaits, ...(options.json === true ? {} : briefly) },
  );
  // The agent's policy, whatever its path, unless the command line names another.
  const file = agent.ok && !namesPolicy(command) ? agent.value.policy.file : options.policy;
  const capabilities = capabilitiesOf(command);
  const code = await withPolicy(command, file, async (policy, driver) => {
    const stops = readStops(paths);
    const tenants = policy.tenants.map((each) => tenantStatus(each, driver, stops.get(each.uid)));
    const resellers = policy.resellers.map((each) =>
      statusOf(each, resellerCgroup(each.uid), driver),
    );
    // An agent that has not scanned the processes yet knows less than a scan of them here.
    const { outside: misplaced, unknown } =
      agent.ok && agent.value.starting === undefined
        ? agent.value.placement
        : findOutside(placementTargets(policy, paths, driver.tree));
    const outside = await withOrigins(capabilities, misplaced);
    const { driver: name } = driver.capabilities;
    const entryPaths = await surveyEntryPaths(
      capabilities,
      { paths, policy, driver: name },
      options.score === true ? 'thorough' : 'quick',
    );
    const layers =
      options.score === true
        ? await surveyLayers(capabilities, { paths, policy, driver, agent, entryPaths })
        : undefined;
    const known = agent.ok ? { agent: agent.value } : {};
    const missingAccounts = missingAccountsOf(policy);
    const found: StatusJson = {
      driver: name,
      tenants,
      resellers,
      outside,
      unknown,
      ...(observesLimits(policy) && { observed: true as const }),
      ...(missingAccounts.length > 0 && { missingAccounts }),
      entryPaths,
      ...(layers === undefined ? {} : { counts: countLayers(layers) }),
      ...known,
    };
    if (options.json === true) printJson(found);
    else printStatus(found, agent, driver, options.all === true);
    if (layers !== undefined && options.json !== true) print(scoreLine(layers));
    return exitCodes.done;
  });
  // The errors of the policy have been printed; the agent knows what is in force.
  if (code === exitCodes.done) return code;
  const known = options.score === true ? await knownLayers(command, file, paths, agent) : undefined;
  if (agent.ok) await showAgentAlone(agent.value, capabilities, options, known);
  else if (options.json === true && known !== undefined) printJson(withoutBoth(known));
  if (known !== undefined && options.json !== true) print(scoreLine(known.layers));
  return code;
}

interface KnownLayers {
  readonly driver: DriverName;
  readonly layers: readonly Layer[];
}

/** Returns the layers of a host whose policy cannot be used: what depends on the policy is unknown. */
async function knownLayers(
  command: Command,
  file: string,
  paths: Paths,
  agent: Result<StatusResponse, Problem>,
): Promise<KnownLayers | undefined> {
  const driver = probeDriver(paths, undefined);
  if (!driver.ok) return undefined;
  const { driver: name } = driver.value.capabilities;
  const capabilities = capabilitiesOf(command);
  const policyProblem = policyProblemOf((await policyReaderOf(command)).load(file, paths));
  const context = { paths, policy: undefined, driver: name };
  const entryPaths = await surveyEntryPaths(capabilities, context, 'thorough');
  const facts = {
    paths,
    policy: undefined,
    policyProblem,
    driver: driver.value,
    agent,
    entryPaths,
  };
  return { driver: name, layers: await surveyLayers(capabilities, facts) };
}

const withoutBoth = ({ driver, layers }: KnownLayers): StatusJson => ({
  driver,
  ...nobody,
  outside: [],
  unknown: ['no policy is in use, and the agent does not answer'],
  counts: countLayers(layers),
});

const nobody = { tenants: [], resellers: [] } as const;

function printStatus(
  { tenants, resellers, outside, unknown, observed, entryPaths = [] }: StatusJson,
  agent: Result<StatusResponse, Problem>,
  driver: Driver,
  all: boolean,
): void {
  printSummary(tenants, driver, observed === true ? 'only observed' : 'enforced');
  printStopped(tenants);
  print(entryPathsLine(entryPaths));
  printAgent(agent, { outside, unknown });
  formatUse([...tenants.flatMap(withSites), ...resellers.map(asReseller)], all);
}

async function showAgentAlone(
  agent: StatusResponse,
  capabilities: readonly Capability[],
  { json }: StatusOptions,
  known: KnownLayers | undefined,
): Promise<void> {
  const { driver } = agent;
  const { unknown } = agent.placement;
  const outside = await withOrigins(capabilities, agent.placement.outside);
  if (json === true) {
    const counts = known === undefined ? {} : { counts: countLayers(known.layers) };
    printJson({ driver, ...nobody, outside, unknown, ...counts, agent } satisfies StatusJson);
    return;
  }
  print(
    `The limits of ${count(agent.tenants, 'tenant')} are enforced according to the previous policy; the driver is ${driver}`,
  );
  printAgent(ok(agent), { outside, unknown });
}

/** The number of lines that a person would read. */
const outsideShownMax = 10;

function printAgent(
  agent: Result<StatusResponse, Problem>,
  {
    outside,
    unknown,
  }: Pick<PlacementStatus, 'unknown'> & { readonly outside: readonly CameOutside[] },
): void {
  const { colors } = terminalOf(process.stdout);
  for (const line of agentLines(agent)) print(line);
  const text = outsideText(outside.length, unknown.length > 0);
  print(outside.length === 0 && unknown.length === 0 ? text : colors.yellow(text));
  for (const reason of unknown.slice(0, outsideShownMax)) print(`  ${printable(reason)}`);
  for (const each of outside.slice(0, outsideShownMax)) print(`  ${outsideLine(each)}`);
  const more = outside.length - outsideShownMax;
  if (more > 0) print(`  … and ${more} more; --json lists them`);
}

function outsideLine({ pid, uid, reason, entryPath, origin }: CameOutside): string {
  const from = [entryPath ?? 'where is unknown', ...(origin === undefined ? [] : [origin])].join(
    ', ',
  );
  return `process ${pid} of uid ${uid}, from ${printable(from)}: ${printable(reason)}`;
}

/** Describes the number of processes outside; an unknown number is never printed as 0. */
function outsideText(number: number, isUnknown: boolean): string {
  const some = `${count(number, 'process', 'processes')} of tenants outside their cgroups`;
  if (!isUnknown) return some;
  if (number === 0) return 'It is unknown whether processes of tenants are outside their cgroups:';
  return `At least ${some}; whether there are more is unknown:`;
}

/** Describes the consequence for tenants of an agent that does not work. */
const consequence = () =>
  `processes are not moved into their cgroups, nothing is measured or recorded; see ${docPage('agent')}`;

function agentLines(asked: Result<StatusResponse, Problem>): readonly string[] {
  if (!asked.ok) {
    const { reason, errno } = asked.error;
    if (errno === undefined) return [`The agent is not working: ${printable(reason)}`];
    return [`${reason.charAt(0).toUpperCase()}${printable(reason.slice(1))}: ${consequence()}`];
  }
  const { pid, starting, policy, placement, history, tick } = asked.value;
  const from = new Date(asked.value.startedAt).toISOString().slice(0, 19);
  if (starting?.doing === 'applying the policy') {
    return [`Agent ${pid}, since ${from}Z, is starting: ${startingText(starting)}`];
  }
  const faults = count(tick.faults, 'fault');
  const lines = [
    `Agent ${pid} since ${from}Z: ${placement.migrated} processes migrated, ${faults}`,
  ];
  if (starting !== undefined) lines.push(`The agent is starting: ${startingText(starting)}`);
  if (policy.state !== 'in force') {
    lines.push(`The policy is ${policy.state}: ${printable(policy.problems[0] ?? '')}`);
  }
  if (policy.notGoingBack !== undefined) lines.push(printable(policy.notGoingBack));
  if (placement.state === 'off') lines.push(`Placement by polling: ${placement.problem ?? ''}`);
  if (history.state === 'off') lines.push(`No history is kept: ${history.problem ?? ''}`);
  return lines;
}

function tenantStatus(tenant: Tenant, driver: Driver, stop: Stop | undefined): TenantStatus {
  const cgroup = tenantCgroup(tenant);
  const sites = tenant.sites.map(({ name, values }) => ({
    ...statusOf({ ...tenant, values }, siteCgroup(cgroup, name), driver),
    name,
  }));
  return {
    ...statusOf(tenant, cgroup, driver),
    ...(stop === undefined ? {} : { stopped: stop }),
    ...(sites.length === 0 ? {} : { sites }),
  };
}

/** Adds rows for sites, indented below their tenant, which includes them. */
const withSites = ({ sites = [], ...tenant }: TenantStatus): MemberStatus[] => [
  tenant,
  ...sites.map((each) => ({ ...each, name: `  ${each.name}` })),
];

function statusOf(who: Tenant | Reseller, cgroup: string, driver: Driver): MemberStatus {
  const counters = withoutPeaks(driver.counters(cgroup));
  return {
    name: nameOf(who),
    uid: who.uid,
    inForce: counters !== undefined,
    package: who.package,
    limits: {
      cpu: limitText(who, 'cpu.limit'),
      memory: limitText(who, 'memory.limit'),
      processes: limitText(who, 'processes.limit'),
    },
    counters,
  };
}

/** Drops the peaks, which belong to descriptors of the agent: `top` and `usage` show them. */
function withoutPeaks(counters: Counters | undefined): Omit<Counters, PeakCounter> | undefined {
  if (counters === undefined) return undefined;
  const { memoryPeakBytes: _memory, threadsPeak: _threads, ...rest } = counters;
  return rest;
}

const asReseller = (status: MemberStatus): MemberStatus => ({
  ...status,
  name: `${status.name} (all)`,
});

function limitText({ values }: Tenant | Reseller, key: LimitKey): string {
  return formatQuantity(limitAttribute(key).kind, values[key] ?? limitAttribute(key).fallback);
}

const infinite = (text: string) => (text === unlimited ? '∞' : text);

function printSummary(tenants: readonly MemberStatus[], driver: Driver, how: string): void {
  const { colors } = terminalOf(process.stdout);
  const enforced = tenants.filter((each) => each.inForce).length;
  print(
    `Limits are ${how} for ${enforced} of ${count(tenants.length, 'tenant')}; the driver is ${driver.capabilities.driver}`,
  );
  if (enforced === tenants.length) return;
  print(colors.yellow('The others have no cgroup yet; "bulkhead apply" creates it'));
}

function printStopped(tenants: readonly TenantStatus[]): void {
  const { colors } = terminalOf(process.stdout);
  for (const { name, stopped } of tenants) {
    if (stopped === undefined) continue;
    print(
      colors.yellow(
        `${name} is ${printable(stopText(stopped))}; "bulkhead start ${stopped.user === '' ? stopped.uid : name}" lets it run again`,
      ),
    );
  }
}

function formatUse(rows: readonly MemberStatus[], all: boolean): void {
  const { colors } = terminalOf(process.stdout);
  const busy = rows.filter((each) => all || (each.counters?.threads ?? 0) > 0);
  if (busy.length === 0) {
    if (rows.length > 0) print('No tenant has processes; --all lists idle tenants');
    return;
  }
  const cells = busy.map(({ name, limits, counters }) => [
    name,
    counters === undefined ? '-' : String(counters.threads),
    infinite(limits.processes),
    counters === undefined ? '-' : shortBytes(counters.memoryBytes),
    infinite(limits.memory),
    infinite(limits.cpu),
    String(counters?.throttledPeriods ?? '-'),
    String(counters?.oomKills ?? '-'),
    String(counters?.forksRefused ?? '-'),
  ]);
  const header = [
    'TENANT',
    'PROCS',
    'OF',
    'MEMORY',
    'OF',
    'CPU LIMIT',
    'THROTTLED',
    'OOM KILLS',
    'FORKS REFUSED',
  ];
  print(`\n${table([header.map(colors.dim), ...cells], [1, 2, 3, 4, 5, 6, 7, 8])}`);
}

export const command: CommandModule = {
  define(command, run) {
    command
      .addOption(policyOption())
      .option('-a, --all', 'include idle tenants')
      .option('--score', 'count the layers of protection, too; asks web servers, and takes longer')
      .option('--json', 'print as JSON')
      .addHelpText(
        'after',
        examples(
          ['bulkhead status', 'tenants with processes'],
          ['bulkhead status --all', 'every tenant'],
          ['bulkhead status --score', 'how much of the protection is in force'],
        ),
      )
      .action(run(status));
  },
};
