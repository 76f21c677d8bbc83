/** `bulkhead status`: what is in force, and what each tenant uses of it now. */
import type { Command } from 'commander';
import type { Driver } from '../host/driver.ts';
import type { LimitKey } from '../limits/limit.ts';
import { attributeOf } from '../limits/limits.ts';
import { resellerGroup, tenantGroup } from '../plan/wanted.ts';
import { nameOf, type Reseller, type Tenant } from '../policy/policy.ts';
import { printQuantity, unlimited } from '../units/quantity.ts';
import { examples, exitCodes, type CommandModule, type PolicyOptions } from './command.ts';
import { policyOption } from './policy-option.ts';
import { count, print, printJson, withPolicy } from './session.ts';
import { shortBytes, table, terminalOf } from './terminal.ts';

interface StatusOptions extends PolicyOptions {
  readonly all?: boolean;
}

function status(options: StatusOptions, command: Command) {
  return withPolicy(command, options.policy, (policy, driver) => {
    const tenants = policy.tenants.map((each) => statusOf(each, tenantGroup(each), driver));
    const resellers = policy.resellers.map((each) =>
      statusOf(each, resellerGroup(each.uid), driver),
    );
    if (options.json === true) {
      printJson({ driver: driver.capabilities.driver, tenants, resellers });
    } else {
      printSummary(tenants, driver);
      printUse([...tenants, ...resellers.map(asReseller)], options.all === true);
    }
    return exitCodes.done;
  });
}

type Status = ReturnType<typeof statusOf>;

function statusOf(who: Tenant | Reseller, group: string, driver: Driver) {
  const counters = driver.counters(group);
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

const asReseller = (status: Status): Status => ({ ...status, name: `${status.name} (all)` });

function limitText({ values }: Tenant | Reseller, key: LimitKey): string {
  return printQuantity(attributeOf(key).kind, values[key] ?? attributeOf(key).fallback);
}

const infinite = (text: string) => (text === unlimited ? '∞' : text);

function printSummary(tenants: readonly Status[], driver: Driver): void {
  const { colors } = terminalOf(process.stdout);
  const held = tenants.filter((each) => each.inForce).length;
  print(`${held} of ${count(tenants.length, 'tenant')} held by ${driver.capabilities.driver}`);
  if (held === tenants.length) return;
  print(colors.yellow('The others have no group yet; "bulkhead apply" makes them'));
}

function printUse(rows: readonly Status[], all: boolean): void {
  const { colors } = terminalOf(process.stdout);
  const busy = rows.filter((each) => all || (each.counters?.threads ?? 0) > 0);
  if (busy.length === 0) {
    if (rows.length > 0) print('No tenant runs anything now; --all lists them');
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
  define(program, run) {
    program
      .command('status')
      .description('show what is in force, and what tenants use now')
      .addOption(policyOption())
      .option('-a, --all', 'tenants that run nothing too')
      .option('--json', 'print it as JSON')
      .addHelpText(
        'after',
        examples(
          ['bulkhead status', 'tenants with processes'],
          ['bulkhead status --all', 'every tenant'],
        ),
      )
      .action(run(status));
  },
};
