/** `bulkhead web fpm enable`: gives a service to one tenant, or to all tenants that have a pool. */
import { existsSync } from 'node:fs';
import { Option, type Command } from 'commander';
import type { Problem } from '../../../../packages/base/problem.ts';
import {
  describeArgument,
  examples,
  exitCodes,
  type CommandModule,
  type ExitCode,
  type Runner,
} from '../../../cli/shared/command.ts';
import { policyOption } from '../../../cli/shared/policy-option.ts';
import { printError, failWith } from '../../../cli/shared/session.ts';
import { tenantCgroup } from '../../../plan/wanted.ts';
import { entryFile } from '../../../sys/package-files.ts';
import { findTenant, type Tenant } from '../../../policy/policy.ts';
import { sectionsInText } from '../../core/fpm/service/text-sections.ts';
import { choosing, choosingAll } from '../../core/fpm/service/choice.ts';
import { readHostView } from '../../io/fpm/facts.ts';
import { readPoolFiles } from '../../io/fpm/inputs.ts';
import type { FpmContext } from '../../io/fpm/context.ts';
import type { FpmPlan } from '../../io/fpm/plan.ts';
import { makeChanges, type FpmChange, type ChangeOptions } from './change.ts';
import { startSession, type FpmOptions, type FpmSession } from './session.ts';

export interface SelectOptions extends FpmOptions, ChangeOptions {
  readonly all?: boolean;
}

async function enable(
  name: string | undefined,
  options: SelectOptions,
  command: Command,
): Promise<ExitCode> {
  if (!namesOne(name, options)) return exitCodes.usage;
  const missing = launcherProblem();
  if (missing !== undefined) return failWith(missing);
  const session = await startSession(options, command, 'served');
  if (typeof session === 'number') return session;
  if (name === undefined) {
    const change = (context: FpmContext): FpmChange => ({ context, wish: { choose: choosingAll } });
    return makeChanges(session.contexts.map(change), options);
  }
  const tenant = tenantOrReport(name, session);
  if (tenant === undefined) return exitCodes.failed;
  const changes = changesFor(tenant, session);
  return typeof changes === 'number' ? changes : makeChanges(changes, options);
}

/** Returns why no service could start: a clone has no launcher until it is compiled. */
export function launcherProblem(path = entryFile('bulkhead-fpm')): Problem | undefined {
  if (existsSync(path)) return undefined;
  const object = path;
  const hint = 'run scripts/with-node scripts/entry.ts in a clone, or install the package again';
  return { action: "start tenants' PHP-FPM", object, reason: 'there is no such program', hint };
}

/** Whether either one tenant or all are named. Prints an error if not. */
export function namesOne(name: string | undefined, { all = false }: SelectOptions): boolean {
  if ((name === undefined) === all) return true;
  printError(all ? 'Name a tenant or pass --all, not both' : 'Name a tenant, or pass --all');
  return false;
}

function tenantOrReport(name: string, { policy, driver }: FpmSession): Tenant | undefined {
  const refuse = (problem: Omit<Problem, 'action' | 'object'>) => {
    printError({ action: 'give a service to', object: name, ...problem });
    return undefined;
  };
  const tenant = findTenant(policy, name);
  if (tenant === undefined)
    return refuse({ reason: 'it is not a tenant', hint: 'see bulkhead explain' });
  if (tenant.account === undefined)
    return refuse({ reason: 'it has no account, and a pool runs as an account' });
  // A slice in which nothing runs has no cgroup, but counts.
  return driver.counters(tenantCgroup(tenant)) !== undefined
    ? tenant
    : refuse({ reason: 'it has no cgroup yet', hint: 'run bulkhead apply' });
}

function changesFor(
  tenant: Tenant,
  { contexts, paths, policy }: FpmSession,
): readonly FpmChange[] | ExitCode {
  const withPools: FpmContext[] = [];
  for (const context of contexts) {
    const files = readPoolFiles(context.fpm);
    if (!files.ok) return failWith(files.error);
    const sections = files.value.flatMap(({ text }) => sectionsInText(text));
    const { tenantOf } = readHostView(paths, policy, sections, context.fpm.php);
    if (sections.some(({ values }) => tenantOf(values.get('user') ?? '')?.uid === tenant.uid))
      withPools.push(context);
  }
  if (withPools.length > 0) return withPools.map((context) => changeFor(tenant, context, false));
  const [only, ...others] = contexts;
  if (only !== undefined && others.length === 0) return [changeFor(tenant, only, true)];
  const versions = contexts.map(({ fpm }) => fpm.php).join(', ');
  printError(
    `${tenant.account?.user ?? tenant.uid} has no pool; choose the PHP for a new one with --php: ${versions}`,
  );
  return exitCodes.usage;
}

const changeFor = (tenant: Tenant, context: FpmContext, withoutPool: boolean): FpmChange => ({
  context,
  wish: {
    choose: (choice) => choosing(choice, tenant.uid, withoutPool),
    objection: (plan) => objectionTo(tenant, plan),
  },
});

/** Returns why nothing may be changed: a caller who names one tenant wants that one or nothing. */
function objectionTo(
  { uid, account }: Tenant,
  { services, refused, kept }: FpmPlan,
): Problem | undefined {
  if (services.some((each) => each.tenant.uid === uid)) return undefined;
  const user = account?.user ?? `${uid}`;
  const found = refused.find((each) => each.uid === uid)?.reason;
  const pool = kept.find((each) => each.reason !== undefined && each.user === user);
  const ofPool = pool === undefined ? undefined : `${pool.place}: ${pool.reason}`;
  const reason = found ?? ofPool ?? 'its pools have to stay where they are';
  return { action: 'give a service to', object: user, reason, hint: 'nothing was changed' };
}

export function selectOptions(command: Command, all: string): void {
  command
    .addOption(policyOption())
    .option('--all', all)
    .addOption(new Option('--php <version>', 'only this PHP, such as 8.4 or ea-php83'))
    .option('--dry-run', 'print what would be written and run; changes nothing')
    .option('--json', 'print as JSON');
}

function define(command: Command, run: Runner): void {
  describeArgument(command, 'account or uid of a tenant');
  selectOptions(command, 'every tenant that has a pool, also those that get one later');
  command
    .addHelpText(
      'after',
      examples(
        ['bulkhead web fpm enable alice', 'in all versions of PHP for which alice has a pool'],
        ['bulkhead web fpm enable --all --dry-run', ''],
        ['bulkhead web fpm enable bob --php 8.4', 'with a pool of its own if bob has none'],
      ),
    )
    .action(run(enable));
}

export const command: CommandModule = { define };
