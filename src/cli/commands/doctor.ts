/**
 * `bulkhead doctor`: the limits that this host can enforce, and the entry paths: which are covered, which are not, why,
 * and what would help.
 */
import { docPage } from '../../sys/package-files.ts';
import { existsSync } from 'node:fs';
import { release } from 'node:os';
import type { Command } from 'commander';
import type { StatusResponse } from '../../agent/api/status-response.ts';
import { notGoingBack } from '../../agent/policy/goes-back/going-back-file.ts';
import { recordProblem } from '../../apply/read-changes.ts';
import { briefly, callAgent } from '../../agent/api/client.ts';
import { startingText } from '../../agent/startup.ts';
import { capabilitiesOf, policyReaderOf, type Capability } from '../capability.ts';
import type { DoctorReport } from '../doctor-report.ts';
import { policyProblemOf, scoreLine, surveyLayers } from '../layers/survey-layers.ts';
import { diskName } from '../../host/disks/file-systems.ts';
import { findOtherWriters } from '../../host/other-writers/other-writers.ts';
import type { Paths } from '../../host/paths.ts';
import type { Capabilities } from '../../host/driver.ts';
import { probeDriver } from '../../host/probe.ts';
import { givenLimits, type Tenant } from '../../policy/policy.ts';
import type { LimitKey } from '../../limits/limit.ts';
import type { Support, SupportLevel } from '../../limits/support.ts';
import { examples, exitCodes, type CommandModule, type ExitCode } from '../shared/command.ts';
import { outsideNotes } from './policy/outside-slices.ts';
import { defaultPolicy } from '../shared/policy-option.ts';
import { printError, pathsFor, print, printJson, sayItWaits } from '../shared/session.ts';
import { terminalOf, wrap } from '../shared/terminal.ts';
import type { EntryPathContext, EntryPathReport } from '../../host/entry-paths/entry-paths.ts';
import { surveyEntryPaths, entryPathsText } from '../shared/entry-paths.ts';
import { tokenPortRemark } from '../shared/token-port.ts';
import { listSome } from '../../../packages/base/list.ts';
import { otherWriterText } from '../../../packages/base/other-writer.ts';
import { printable } from '../../../packages/base/printable.ts';
import { formatProblem, type Problem } from '../../../packages/base/problem.ts';
import type { Result } from '../../../packages/base/result.ts';
import type { DoctorJson } from './json.ts';
import { changedByOthers } from './policy/drift.ts';
import { missingAccountNotes, missingAccountsOf } from './policy/missing-accounts.ts';

/** The column in which all text starts, to the right of the labels. */
const indent = ' '.repeat(11);

/** The programs that our scripts and the launcher run; all are in every Debian installation. */
const tools = ['/usr/bin/setpriv', '/usr/bin/getent', '/usr/bin/flock'];

interface DoctorOptions {
  readonly json?: boolean;
  readonly security?: boolean;
}

const report = (options: DoctorOptions, command: Command): Promise<ExitCode> =>
  options.security === true ? security(options, command) : doctor(options, command);

async function doctor(options: DoctorOptions, command: Command): Promise<ExitCode> {
  const paths = pathsFor(command);
  if (paths === undefined) return exitCodes.usage;
  const asked = await callAgent<StatusResponse>(
    paths,
    '/v1/status',
    {},
    {
      ...briefly,
      onSlow: sayItWaits,
    },
  );
  const status = asked.ok ? asked.value : undefined;
  // The policy that the agent follows, or would follow.
  const loaded = (await policyReaderOf(command)).load(status?.policy.file ?? defaultPolicy, paths);
  const { policy } = loaded;
  const driver = probeDriver(paths, policy?.driver);
  if (!driver.ok) return reportNoDriver(driver.error, options.json === true);
  const { capabilities } = driver.value;
  const placement = status?.placement;
  const ports = policy && tokenPortRemark(policy.agent, status, paths.proc);
  const lost = [recordProblem(paths), notGoingBack(paths)];
  const remarks = [
    capabilities.kept,
    ...capabilities.remarks,
    ports,
    ...outsideNotes(paths),
    ...lost.map((each) => each && formatProblem(each)),
  ].flatMap((each) => each ?? []);
  const missing = missingTools();
  const missingAccounts = missingAccountsOf(policy);
  const otherWriters = findOtherWriters().filter(
    ({ sets }) => sets === 'limits' || policy === undefined || policy.tenants.some(limitsDisk),
  );
  const changed = changedByOthers(policy, driver.value, status);
  const parts = capabilitiesOf(command);
  const context = { paths, policy, driver: capabilities.driver };
  const entryPaths = await surveyEntryPaths(parts, context, 'thorough');
  const reports = await reportsOf(parts, context);
  const layers = await surveyLayers(parts, {
    paths,
    policy,
    policyProblem: policyProblemOf(loaded),
    driver: driver.value,
    agent: asked,
    entryPaths,
  });
  if (options.json === true) {
    const { driver: name, reason, devices } = capabilities;
    printJson({
      kernel: release(),
      driver: name,
      reason,
      devices,
      remarks,
      missing,
      missingAccounts,
      otherWriters,
      ...(changed && { changedByOthers: changed }),
      placement: placement ?? { state: 'off', problem: noAgent(asked) },
      entryPaths,
      capabilities: reports,
      limits: Object.fromEntries(capabilities.limits),
      layers,
    } satisfies DoctorJson);
    return exitCodes.done;
  }
  printAbilities(capabilities, asked, reports, entryPaths, paths);
  printNotes([
    ...remarks,
    ...reports.flatMap((each) => each.remarks),
    ...missing.map(
      (each) => `${each} is missing: Bulkhead needs it; install util-linux and libc-bin`,
    ),
    ...missingAccountNotes(missingAccounts),
    ...otherWriters.map(otherWriterText),
    ...changedNote(changed),
  ]);
  print(`\n${summary([...capabilities.limits.values()].map((each) => each.level))}`);
  print(scoreLine(layers));
  return exitCodes.done;
}

/** Whether the policy sets one of the tenant's quotas. */
const limitsDisk = (tenant: Tenant) => {
  const values = givenLimits(tenant);
  return (values['disk.space'] ?? values['disk.files']) !== undefined;
};

const changedShownMax = 3;

function changedNote(changed: readonly string[] = []): readonly string[] {
  if (changed.length === 0) return [];
  const shown = listSome(changed.map(printable), changedShownMax);
  return [
    `Something else has changed limits since the agent applied the policy: ${shown}. Run: bulkhead apply. If they change again, find the other program: ${docPage('panels')}`,
  ];
}

function printAbilities(
  capabilities: Capabilities,
  asked: Result<StatusResponse, Problem>,
  reports: readonly DoctorReport[],
  entryPaths: readonly EntryPathReport[],
  paths: Paths,
): void {
  const { columns } = terminalOf(process.stdout);
  print(wrap(`Kernel     ${release()}`, columns, indent));
  print(wrap(`Driver     ${capabilities.driver}: ${capabilities.reason}`, columns, indent));
  print(wrap(`Placement  ${placementText(asked)}`, columns, indent));
  for (const { label, text } of reports) {
    print(wrap(`${label.padEnd(indent.length)}${printable(text)}`, columns, indent));
  }
  print(`${wrap(`Disks      ${disksText(capabilities.devices, paths)}`, columns, indent)}\n`);
  print(`${entryPathsText(entryPaths)}\n`);
  for (const group of alike(capabilities.limits)) printGroup(group);
}

function printNotes(notes: readonly string[]): void {
  const { columns } = terminalOf(process.stdout);
  for (const note of notes) print(wrap(`Note: ${note}`, columns, '      '));
}

function disksText(devices: readonly string[], paths: Paths): string {
  const disks = devices.map((each) => `${diskName(each, paths)} (${each})`);
  return disks.length === 0 ? 'none that can be throttled' : disks.join(', ');
}

function reportNoDriver(problem: Problem, asJson: boolean): ExitCode {
  if (asJson)
    printJson({ kernel: release(), problem: formatProblem(problem) } satisfies DoctorJson);
  else printError(problem);
  return exitCodes.failed;
}

const missingTools = () =>
  tools.filter((each) => !existsSync(each) && !existsSync(each.replace('/usr', '')));

async function reportsOf(
  parts: readonly Capability[],
  context: EntryPathContext,
): Promise<readonly DoctorReport[]> {
  const loaded = await Promise.all(parts.flatMap(({ doctor: report }) => report?.() ?? []));
  const reports = await Promise.all(loaded.map((report) => report(context)));
  return reports.filter((each) => each !== undefined);
}

/** Reports on the host's settings only, which needs neither agent nor driver. */
async function security({ json = false }: DoctorOptions, command: Command): Promise<ExitCode> {
  const paths = pathsFor(command);
  if (paths === undefined) return exitCodes.usage;
  const parts = capabilitiesOf(command);
  const { policy } = (await policyReaderOf(command)).load(defaultPolicy, paths);
  const items = await Promise.all(parts.flatMap(({ securityItems }) => securityItems?.() ?? []));
  const more = items.flatMap((itemsOf) => itemsOf(paths, policy));
  let status: ExitCode = exitCodes.done;
  for (const { securityReport } of parts) {
    if (securityReport === undefined) continue;
    const printReport = await securityReport();
    status = printReport(paths, policy, { json, more });
  }
  return status;
}

const noAgent = (asked: Result<StatusResponse, Problem>) => (asked.ok ? '' : asked.error.reason);

/** Whether processes that tenants start themselves are moved into their cgroups. */
function placementText(asked: Result<StatusResponse, Problem>): string {
  if (!asked.ok) {
    return `off: ${printable(noAgent(asked))}, so limits apply only to what "bulkhead exec" starts; run bulkhead units enable, or see ${docPage('agent')}`;
  }
  const { starting, placement } = asked.value;
  if (starting !== undefined) return `the agent is starting: ${startingText(starting)}`;
  const { state, problem = '', filtered } = placement;
  if (state === 'starting') return 'starting';
  if (state === 'off') return `polling: ${printable(problem)}`;
  const which =
    filtered === true ? 'changes of uid only' : 'all process events; Linux 6.6 can filter them';
  return `by the kernel's process connector, which reports ${which}`;
}

interface Group {
  readonly support: Support;
  readonly names: readonly string[];
}

const order: readonly SupportLevel[] = ['full', 'partial', 'none'];

/** Groups limits with the same support for the same reason; the best first. */
function alike(limits: ReadonlyMap<LimitKey, Support>): readonly Group[] {
  const groups = new Map<string, Group>();
  for (const [key, support] of limits) {
    const id = JSON.stringify(support);
    const names = [...(groups.get(id)?.names ?? []), key.replace('.', ' ')];
    groups.set(id, { support, names });
  }
  return [...groups.values()].toSorted(
    (a, b) => order.indexOf(a.support.level) - order.indexOf(b.support.level),
  );
}

function printGroup({ support, names }: Group): void {
  const { colors, columns } = terminalOf(process.stdout);
  const paint = { full: colors.green, partial: colors.yellow, none: colors.red };
  const { level, reason, help } = support;
  const head = wrap(`${level.padEnd(indent.length)}${names.join(', ')}`, columns, indent);
  print(paint[level](level) + head.slice(level.length));
  if (reason !== undefined) print(wrap(`${indent}because ${reason}`, columns, `${indent}  `));
  if (help !== undefined) print(wrap(`${indent}to improve: ${help}`, columns, `${indent}  `));
  print('');
}

function summary(levels: readonly SupportLevel[]): string {
  const count = (level: SupportLevel) => levels.filter((each) => each === level).length;
  return `${count('full')} limits fully enforced, ${count('partial')} partially, ${count('none')} not at all`;
}

export const command: CommandModule = {
  define(command, run) {
    command
      .option('--json', 'print as JSON')
      .option(
        '--security',
        'show which protections of a shared host are lacking; exits with 3 if any is',
      )
      .addHelpText(
        'after',
        examples(
          ['bulkhead doctor', ''],
          ['bulkhead doctor --json', 'for scripts'],
          ['bulkhead doctor --security', 'settings of the kernel, homes, subordinate uids'],
        ),
      )
      .action(run(report));
  },
};
