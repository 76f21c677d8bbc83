/**
 * The common part of `enable` and `disable`: run for each version under its lock, and print what was done.
 */
import { formatProblem, type Problem } from '../../../../packages/base/problem.ts';
import { exitCodes, type ExitCode } from '../../../cli/shared/command.ts';
import { count, print, printError, printJson } from '../../../cli/shared/session.ts';
import { table } from '../../../cli/shared/terminal.ts';
import { printable } from '../../../../packages/base/printable.ts';
import { distributionUnit } from '../../../layouts/layouts.ts';
import type { FpmContext } from '../../io/fpm/context.ts';
import { isDone, type FpmPlan } from '../../io/fpm/plan.ts';
import { lockFpm, reconcile, type Wish } from '../../io/fpm/reconcile.ts';
import { masterText, whoseText } from './status-text.ts';
import type { FpmVersion, WebFpmEnableJson } from '../json.ts';

export interface FpmChange {
  readonly context: FpmContext;
  readonly wish: Wish;
}

export interface ChangeOptions {
  readonly json?: boolean;
  readonly dryRun?: boolean;
}

/** The time to wait for another command, which may be waiting for requests to end. */
const lockWaitMs = 120_000;

export async function makeChanges(
  changes: readonly FpmChange[],
  { json = false, dryRun = false }: ChangeOptions,
): Promise<ExitCode> {
  const problems: Problem[] = [];
  const plans: (readonly [FpmContext, FpmPlan])[] = [];
  for (const { context, wish } of changes) {
    const lock = lockFpm(context.layout, lockWaitMs);
    if (!lock.ok) {
      problems.push(lock.error);
      continue;
    }
    using _lock = lock.value;
    const done = await reconcile(context, { ...wish, dryRun }, 'command');
    if (done.ok) plans.push([context, done.value]);
    else problems.push(done.error);
  }
  for (const each of problems) printError(each);
  for (const [, { refused }] of plans)
    for (const { user, reason } of refused) printError(refusalText(user, reason));
  if (json)
    printJson({
      dryRun,
      versions: plans.map(([context, plan]) => planJson(context, plan)),
      problems,
    } satisfies WebFpmEnableJson);
  else for (const [context, plan] of plans) print(planText(context, plan, dryRun));
  const isClean = problems.length === 0 && plans.every(([, { refused }]) => refused.length === 0);
  return isClean ? exitCodes.done : exitCodes.failed;
}

const refusalText = (user: string, reason: string): string =>
  formatProblem({
    action: 'give a service to',
    object: user,
    reason,
    hint: 'its pools stay as they are',
  });

export const planJson = ({ fpm, entryOf }: FpmContext, plan: FpmPlan): FpmVersion => ({
  php: fpm.php,
  services: plan.services.map((service) => {
    const { tenant, site, pools, asRoot } = service;
    return {
      uid: tenant.uid,
      user: tenant.user,
      ...(site === undefined ? {} : { site }),
      jailed: entryOf(service).isJailed,
      master: asRoot === undefined ? 'tenant' : 'root',
      ...(asRoot === undefined ? {} : { why: asRoot }),
      pools: pools.map(({ name, listen, pm }) => ({ name, listen: listen.stream, pm })),
    };
  }),
  kept: plan.kept,
  refused: plan.refused,
  writes: plan.writes.map(({ path }) => path),
  removes: plan.removals.map(({ path }) => path),
  opens: plan.opening.map(({ listen }) => listen.stream),
  closes: plan.closing.map(({ listen }) => listen.stream),
  distribution: plan.distribution,
});

/** The number of lines shown. The rest is counted; `--json` has all. */
const linesMax = 40;

function planText(context: FpmContext, plan: FpmPlan, dryRun: boolean): string {
  const { fpm } = context;
  if (isDone(plan)) return `PHP ${fpm.php}: nothing is left to do`;
  const steps = dryRun ? [stepsText(plan, distributionUnit(fpm.php))] : [];
  return [headText(fpm.php, plan, dryRun), ...servicesText(context, plan), ...steps].join('\n');
}

function headText(php: string, { services, closing }: FpmPlan, dryRun: boolean): string {
  const uids = new Set(services.map(({ tenant }) => tenant.uid));
  const tenants = count(uids.size, 'tenant');
  const has = dryRun ? 'would have' : uids.size === 1 ? 'has' : 'have';
  const back = closing.length === 0 ? '' : `; ${count(closing.length, 'pool')} given back`;
  return `PHP ${php}: ${tenants} ${has} a service${back}`;
}

function servicesText({ entryOf }: FpmContext, { services }: FpmPlan): readonly string[] {
  const rows = services.flatMap((service) =>
    service.pools.map(({ name, listen }) => [
      whoseText(service),
      name,
      listen.stream,
      masterText(service, entryOf(service)),
    ]),
  );
  return rows.length === 0
    ? []
    : [
        table([['TENANT', 'POOL', 'SOCKET', 'MASTER'], ...rows.slice(0, linesMax)]),
        ...more(rows.length),
      ];
}

function stepsText({ writes, removals, distribution }: FpmPlan, unit: string): string {
  const lines = [
    ...writes.map(({ path }) => `write ${path}`),
    ...(distribution === 'leave' ? [] : [`systemctl ${distribution} ${unit}`]),
    ...removals.map(({ path }) => `remove ${path}`),
  ];
  return [...lines.slice(0, linesMax), ...more(lines.length)].map(printable).join('\n');
}

const more = (length: number) => (length > linesMax ? [`… and ${length - linesMax} more`] : []);
