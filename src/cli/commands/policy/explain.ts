/**
 * `bulkhead explain TENANT`: each limit of a tenant, or of one of its sites, with its value and the line that set it.
 * Tenants get it from the agent about themselves: possibly only root may read the policy.
 */
import type { Command } from 'commander';
import { printable } from '../../../../packages/base/printable.ts';
import { formatQuantity } from '../../../../packages/base/quantity.ts';
import { formatCause, type Cause } from '../../../../packages/base/problem.ts';
import { fail, ok, type Result } from '../../../../packages/base/result.ts';
import { limitAttribute } from '../../../limits/limits.ts';
import { suggestion } from '../../../policy/diagnostic.ts';
import {
  explain as explainSubject,
  notSet,
  type ExplainedApps,
  type ExplainedDatabase,
  type ExplainedPlan,
  type Explanation,
  type ExplainSubject,
} from '../../../policy/explain.ts';
import { linesOf } from '../../../policy/fleet/merged.ts';
import { withLimitNow, type ExplainedCounts } from '../../../policy/databases/explain-counts.ts';
import { formatJail } from '../../../policy/jail.ts';
import {
  findTenant,
  nameOf,
  siteName,
  splitSiteName,
  type Policy,
} from '../../../policy/policy.ts';
import {
  limitsPath,
  ownUid,
  responseOrReport,
  usageError,
  withAgent,
} from '../../shared/agent-request.ts';
import {
  describeArgument,
  examples,
  exitCodes,
  type CommandModule,
  type ExitCode,
  type PolicyOptions,
} from '../../shared/command.ts';
import { outsideNote } from './outside-slices.ts';
import { isForAgent, policyOption } from '../../shared/policy-option.ts';
import { pathsFor, loadPolicyOrReport, print, printJson, failWith } from '../../shared/session.ts';
import { table, terminalOf } from '../../shared/terminal.ts';
import type { Paths } from '../../../host/paths.ts';
import { loweredCpuOf } from '../../../host/cgroups/lowered-quotas.ts';
import { readStop, stopText } from '../../../host/stops.ts';
import type { ExplainJson } from '../json.ts';

/** An explanation as it is printed. */
export type ShownExplanation = Omit<Explanation, 'uid'> & { readonly uid?: number };

interface ExplainOptions extends PolicyOptions {
  readonly byTenants?: boolean;
}

async function explain(
  name: string | undefined,
  options: ExplainOptions,
  command: Command,
): Promise<ExitCode> {
  if (isForAgent(command)) return explainByAgent(name ?? ownUid() ?? '', options, command);
  const paths = pathsFor(command);
  if (paths === undefined) return exitCodes.usage;
  if (name === undefined && options.byTenants !== true) {
    const hint = 'for example: bulkhead explain alice';
    return usageError({ action: 'explain limits', reason: 'no tenant is named', hint });
  }
  const loaded = await loadPolicyOrReport(command, options.policy, paths);
  if (loaded === undefined) return exitCodes.failed;
  if (name === undefined) return listOwn(loaded.policy, options);
  return explainFrom(loaded.policy, name, options, paths);
}

async function explainByAgent(
  name: string,
  options: ExplainOptions,
  command: Command,
): Promise<ExitCode> {
  return withAgent(command, async (ask) => {
    const explained = responseOrReport(await ask<Explanation>(limitsPath(name)));
    if (explained === undefined) return exitCodes.failed;
    show(explained, options);
    return exitCodes.done;
  });
}

function explainFrom(
  policy: Policy,
  name: string,
  options: ExplainOptions,
  paths: Paths,
): ExitCode {
  const found = findSubject(policy, name);
  if (!found.ok) {
    const reason = `it is not ${formatCause(found.error)}`;
    return failWith({ action: 'explain', object: name, reason });
  }
  const { uid } = found.value.tenant;
  const explained = explainSubject(found.value, policy, linesOf(policy));
  show(withLimitNow(explained, loweredCpuOf(paths, uid)), options);
  if (options.json === true) return exitCodes.done;
  const outside = outsideNote(uid, paths);
  if (outside !== undefined) print(`\n${outside}`);
  const stop = readStop(paths, uid);
  if (stop !== undefined)
    print(`\nIt is ${printable(stopText(stop))}; nothing of it runs until "bulkhead start"`);
  return exitCodes.done;
}

/** Finds the tenant or site. The error continues "it is not". */
export function findSubject(policy: Policy, name: string): Result<ExplainSubject, Cause> {
  const [tenantName, wanted] = splitSiteName(name);
  const tenant = findTenant(policy, tenantName);
  if (tenant === undefined) {
    const names = policy.tenants.map((each) => each.account?.user ?? String(each.uid));
    return fail({ reason: `a tenant of ${policy.file}${suggestion(tenantName, names)}` });
  }
  if (wanted === undefined) return ok({ tenant, site: undefined });
  const site = tenant.sites.find((each) => each.name === wanted);
  if (site !== undefined) return ok({ tenant, site });
  const names = tenant.sites.map((each) => each.name);
  return fail({ reason: `a site of that tenant in ${policy.file}${suggestion(wanted, names)}` });
}

function show(explained: Explanation, { json }: ExplainOptions): void {
  if (json === true) printJson(explained satisfies ExplainJson);
  else printExplanation(explained);
}

/** Prints an explanation; without a uid if it is about another host, where the account has its own. */
export function printExplanation(explained: ShownExplanation): void {
  const { colors } = terminalOf(process.stdout);
  const { file, user, uid, site, package: packageName, reseller, idle } = explained;
  const facts = [
    ...(user === undefined || uid === undefined ? [] : [`uid ${uid}`]),
    packageName === undefined ? 'no package' : `package ${packageName}`,
    ...(reseller === undefined ? [] : [`reseller ${reseller}`]),
  ];
  const tenant = user === undefined ? `uid ${uid}` : printable(user);
  const name = site === undefined ? tenant : siteName(tenant, site);
  print(`${colors.bold(name)}  (${facts.join(', ')})`);
  print(explained.plan === undefined ? '' : `${planText(explained.plan, explained)}\n`);
  print(limitTable(explained));
  if (explained.observed === true) print('Only observed: the kernel enforces none of these limits');
  for (const each of besidesLimits(explained)) print(each);
  if (explained.delegated !== undefined) {
    const { rights, line, file: from = file } = explained.delegated;
    print(`Reseller ${reseller ?? ''} may change: ${rights.join(', ')} (${from}:${line})`);
  }
  for (const each of idle ?? []) {
    print(`Not in force: ${each.limit} ${each.value}, set by ${each.by}: ${each.reason}`);
  }
}

/** Returns the table of limits, of the jail, and of what may be reached and opened. */
function limitTable({ file, limits, jail, network = [] }: ShownExplanation): string {
  const { colors } = terminalOf(process.stdout);
  const rows = [
    ...limits,
    ...(jail === undefined ? [] : [{ ...jail, limit: 'jail', value: formatJail(jail.jail) }]),
    ...network.map(({ setting, value, reason, ...rest }) => ({
      ...rest,
      limit: setting,
      value: reason === undefined ? value : `${value} (${printable(reason)})`,
    })),
  ];
  const cells = rows.map(({ limit, value, from, line, ...rest }) => {
    const where = line === undefined ? '' : `${rest.file ?? file}:${line}`;
    const bound = 'bound' in rest ? ` (${rest.boundBy}: ${rest.bound})` : '';
    const paint = from === notSet ? colors.dim : (text: string) => text;
    return [limit, `${value}${bound}`, from, where].map(paint);
  });
  return table([['LIMIT', 'VALUE', 'FROM', 'LINE'].map(colors.dim), ...cells]);
}

const besidesLimits = ({ apps, database, databaseCounts: counts, file }: ShownExplanation) => [
  ...(apps === undefined ? [] : [appsText(apps, file)]),
  ...(database === undefined ? [] : [databaseText(database, file)]),
  ...(counts === undefined ? [] : [countsText(counts, file)]),
];

/** Returns for example `Applications: blog; the tenant may define 3 itself (defaults, policy.xml:4)`. */
function appsText({ policy, own }: ExplainedApps, file: string): string {
  const names = policy.length === 0 ? 'none in the policy' : policy.join(', ');
  if (own === undefined) return `Applications: ${names}`;
  const max = own.max === 0 ? 'none' : `${own.max}`;
  return `Applications: ${names}; the tenant may define ${max} itself (${own.from}, ${own.file ?? file}:${own.line})`;
}

/** Returns for example `Database server: its own (package "business", policy.xml:4)`. */
const databaseText = (
  { instance, from, line, file: where }: ExplainedDatabase,
  file: string,
): string =>
  `Database server: ${instance === 'own' ? 'its own' : 'the shared ones'} (${from}, ${where ?? file}:${line})`;

/** Returns for example `CPU time of database servers: counts toward cpu limit (defaults, policy.xml:4); now 60%`. */
function countsText(
  { counts, from, line, limitNow, file: where }: ExplainedCounts,
  file: string,
): string {
  const how = counts === 'yes' ? 'counts toward cpu limit' : 'does not count toward cpu limit';
  const now = limitNow === undefined ? '' : `; cpu limit now ${limitNow}, since they use the rest`;
  return `CPU time of database servers: ${how} (${from}, ${where ?? file}:${line})${now}`;
}

/** Says what the panel's plan decides. */
function planText(
  { panel, plan, by, line, file: where }: ExplainedPlan,
  { file: own, package: used }: ShownExplanation,
) {
  const file = where ?? own;
  const stated =
    plan === undefined
      ? 'No plan of the panel is known'
      : `${printable(panel)} states the plan "${printable(plan)}"`;
  switch (by) {
    case 'plan':
      return `${stated}; its <plan> names the package (${file}:${line})`;
    case 'panel':
      return `${stated}; the package has its name (<panel>, ${file}:${line})`;
    case 'kept':
      return `${stated}${plan === undefined ? '' : ', for which the policy has no package'}; the tenant keeps limits of its last package, ${used} (<panel>, ${file}:${line})`;
    case 'no package':
      return `${stated}, for which the policy has no package (<panel>, ${file}:${line})`;
    case 'overruled':
      return `${stated}; the policy names ${used === undefined ? 'no package' : `package ${used}`} for this tenant, which takes precedence`;
  }
}

/** Lists all limits that tenants and resellers have set for sites. */
function listOwn(policy: Policy, { json }: ExplainOptions): ExitCode {
  const rows = policy.tenants.flatMap((tenant) =>
    [...tenant.sites, ...(tenant.withdrawnSites ?? [])].flatMap(({ name, own = [] }) =>
      own.map(({ key, value, by, state }) => ({
        site: siteName(nameOf(tenant), name),
        limit: key.replace('.', ' '),
        value: formatQuantity(limitAttribute(key).kind, value),
        by,
        state,
      })),
    ),
  );
  if (json === true) printJson({ limits: rows } satisfies ExplainJson);
  else if (rows.length === 0) print('No tenant and no reseller has set a limit of a site');
  else {
    const { colors } = terminalOf(process.stdout);
    const cells = rows.map(({ site, limit, value, by, state }) => [site, limit, value, by, state]);
    print(table([['SITE', 'LIMIT', 'VALUE', 'SET BY', 'STATE'].map(colors.dim), ...cells]));
  }
  return exitCodes.done;
}

export const command: CommandModule = {
  define(command, run) {
    describeArgument(command, 'a tenant or one of its sites; your own if no name is given');
    command
      .addOption(policyOption())
      .option('--by-tenants', 'list what tenants and resellers have set for sites')
      .option('--json', 'print as JSON')
      .addHelpText(
        'after',
        examples(
          ['bulkhead explain alice', ''],
          ['bulkhead explain alice/shop.example', 'one of her sites'],
          ['bulkhead explain 1001', 'by uid'],
          ['bulkhead explain --by-tenants', 'limits of sites that are not from the policy'],
        ),
      )
      .action(run(explain));
  },
};
