/**
 * `bulkhead web fpm status`: shows which service serves each tenant's pools, and why others stay.
 */
import type { Command } from 'commander';
import { Option } from 'commander';
import { printable } from '../../../../packages/base/printable.ts';
import type { Problem } from '../../../../packages/base/problem.ts';
import {
  examples,
  exitCodes,
  type CommandModule,
  type ExitCode,
  type Runner,
} from '../../../cli/shared/command.ts';
import { policyOption } from '../../../cli/shared/policy-option.ts';
import { print, printError, printJson } from '../../../cli/shared/session.ts';
import { table } from '../../../cli/shared/terminal.ts';
import { distributionUnit } from '../../../layouts/layouts.ts';
import { serviceName } from '../../core/fpm/service/units.ts';
import type { SplitService } from '../../core/fpm/service/split.ts';
import { poolStrangerText, type PoolStranger } from '../../core/fpm/strangers.ts';
import { isNobody } from '../../core/fpm/service/choice.ts';
import type { FpmContext } from '../../io/fpm/context.ts';
import { isDone, planFpm, type FpmPlan } from '../../io/fpm/plan.ts';
import { readServiceChoice } from '../../io/fpm/reconcile.ts';
import { readStrangers } from '../../io/fpm/strangers.ts';
import { planJson } from './change.ts';
import { startSession, type FpmOptions } from './session.ts';
import { masterText, whoseText } from './status-text.ts';
import type { FpmVersionStatus, WebFpmStatusJson } from '../json.ts';

interface Seen {
  readonly context: FpmContext;
  readonly plan: FpmPlan;
  readonly strangers: readonly PoolStranger[];
  readonly isEnabled: boolean;
}

async function status(options: FpmOptions, command: Command): Promise<ExitCode> {
  const session = await startSession(options, command, 'divided');
  if (typeof session === 'number') return session;
  const seen: Seen[] = [];
  const problems: Problem[] = [];
  for (const context of session.contexts) {
    const choice = readServiceChoice(context.layout);
    const plan = choice.ok ? await planFpm(context, choice.value) : choice;
    if (plan.ok && choice.ok)
      seen.push({
        context,
        plan: plan.value,
        strangers: readStrangers(context, plan.value.kept),
        isEnabled: !isNobody(choice.value),
      });
    else if (!plan.ok) problems.push(plan.error);
  }
  for (const each of problems) printError(each);
  if (options.json === true)
    printJson({ versions: seen.map(versionJson), problems } satisfies WebFpmStatusJson);
  else print(seen.map(versionText).join('\n\n'));
  return problems.length === 0 ? exitCodes.done : exitCodes.failed;
}

const versionJson = ({ context, plan, strangers, isEnabled }: Seen): FpmVersionStatus => {
  const { services, ...rest } = planJson(context, plan);
  return {
    ...rest,
    enabled: isEnabled,
    current: isDone(plan),
    strangers,
    services: services.map((each, at) => {
      const service = plan.services[at];
      return service === undefined ? each : { ...each, state: stateOf(context, plan, service) };
    }),
  };
};

function versionText({ context, plan, strangers, isEnabled }: Seen): string {
  const { php } = context.fpm;
  const warnings = strangers.map((each) => printable(poolStrangerText(each)));
  if (!isEnabled)
    return [
      `PHP ${php}: no tenant has a service; see bulkhead web fpm enable --help`,
      ...warnings,
    ].join('\n');
  const rows = plan.services.flatMap((service) =>
    service.pools.map(({ name, listen, pm }) => [
      whoseText(service),
      name,
      listen.stream,
      pm,
      masterText(service, context.entryOf(service)),
      stateOf(context, plan, service),
    ]),
  );
  const heads = ['TENANT', 'POOL', 'SOCKET', 'PM', 'MASTER', 'STATE'];
  const notes = [...keptNotes(plan), ...pmNotes(plan), ...pendingNotes(context, plan)].map(
    printable,
  );
  return [`PHP ${php}`, table([heads, ...rows]), ...warnings, ...notes].join('\n');
}

/** Returns the state of socket and service together: without a request there is no process. */
function stateOf({ layout }: FpmContext, { states, opening }: FpmPlan, of: SplitService): string {
  const unit = serviceName(layout, of);
  const state = states.get(unit)?.active ?? 'inactive';
  if (opening.some(({ service }) => service === unit)) return 'not listening';
  return state === 'inactive' ? 'idle' : state === 'active' ? 'running' : state;
}

function keptNotes({ kept, refused }: FpmPlan): readonly string[] {
  return [
    ...kept.flatMap(({ pool, place, reason }) =>
      reason === undefined
        ? []
        : [
            `Pool ${pool} (${place === '' ? 'place not found' : place}) stays with php-fpm: ${reason}`,
          ],
    ),
    ...refused.map(({ user, reason }) => `The configuration of ${user} is not accepted: ${reason}`),
  ];
}

function pmNotes({ services }: FpmPlan): readonly string[] {
  const names = services.flatMap(({ pools }) =>
    pools.filter(({ pm }) => pm === 'ondemand').map(({ name }) => name),
  );
  return names.length === 0
    ? []
    : [
        `One worker serves all requests that start an idle service of these pools, since they have pm = ondemand (pm = dynamic starts start_servers workers): ${names.slice(0, 5).join(', ')}${names.length > 5 ? ` and ${names.length - 5} more` : ''}`,
      ];
}

function pendingNotes({ fpm }: FpmContext, plan: FpmPlan): readonly string[] {
  return isDone(plan)
    ? []
    : [
        `Pool files, or sites of pools, have changed since they were divided; run: systemctl reload ${distributionUnit(fpm.php)}`,
      ];
}

function define(command: Command, run: Runner): void {
  command
    .addOption(policyOption())
    .addOption(new Option('--php <version>', 'only this PHP, such as 8.4 or ea-php83'))
    .option('--json', 'print as JSON')
    .addHelpText(
      'after',
      examples(['bulkhead web fpm status', ''], ['bulkhead web fpm status --json', '']),
    )
    .action(run(status));
}

export const command: CommandModule = { define };
