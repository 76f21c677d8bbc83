/** `bulkhead status`: what is in force, and what each tenant uses of it now. */
import type { Command } from 'commander';
import type { Driver } from '../host/driver.ts';
import type { LimitKey } from '../limits/limit.ts';
import { attributeOf } from '../limits/limits.ts';
import { resellerName, tenantName } from '../plan/wanted.ts';
import { nameOf, type Policy, type Tenant } from '../policy/policy.ts';
import { printQuantity, unlimited } from '../units/quantity.ts';
import { examples, exitCodes, type CommandModule, type PolicyOptions } from './command.ts';
import { policyOption } from './policy-option.ts';
import { print, printJson, withPolicy } from './session.ts';
import { shortBytes, table, terminalOf } from './terminal.ts';

interface StatusOptions extends PolicyOptions {
  readonly all?: boolean;
}

export const groupOf = ({ uid, reseller }: Tenant) =>
  reseller === undefined ? tenantName(uid) : `${resellerName(reseller)}/${tenantName(uid)}`;

function status(options: StatusOptions, command: Command) {
  return withPolicy(command, options.policy, (policy, driver) => {
    const rows = policy.tenants.map((tenant) => statusOf(tenant, driver));
    if (options.json === true) {
      printJson({ driver: driver.capabilities.driver, tenants: rows });
      return exitCodes.done;
    }
    printStatus(policy, driver, rows, options.all === true);
    return exitCodes.done;
  });
}

function statusOf(tenant: Tenant, driver: Driver) {
  const counters = driver.counters(groupOf(tenant));
  return {
    name: nameOf(tenant),
    uid: tenant.uid,
    inForce: counters !== undefined,
    package: tenant.package,
    limits: {
      cpu: limitText(tenant, 'cpu.limit'),
      memory: limitText(tenant, 'memory.limit'),
      processes: limitText(tenant, 'processes.limit'),
    },
    counters,
  };
}

function limitText(tenant: Tenant, key: LimitKey): string {
  return printQuantity(attributeOf(key).kind, tenant.values[key] ?? attributeOf(key).fallback);
}

const infinite = (text: string) => (text === unlimited ? '∞' : text);

function printStatus(
  policy: Policy,
  driver: Driver,
  rows: readonly ReturnType<typeof statusOf>[],
  all: boolean,
): void {
  const { colors } = terminalOf(process.stdout);
  const held = rows.filter((each) => each.inForce).length;
  print(`${held} of ${rows.length} tenants are held by ${driver.capabilities.driver}`);
  if (held < rows.length)
    print(colors.yellow('The others have no group yet; "bulkhead apply" makes them'));
  const busy = rows.filter((each) => all || (each.counters?.processes ?? 0) > 0);
  if (busy.length === 0) {
    if (policy.tenants.length > 0) print('No tenant runs anything now; --all lists them');
    return;
  }
  const cells = busy.map(({ name, limits, counters }) => [
    name,
    counters === undefined ? '-' : String(counters.processes),
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
