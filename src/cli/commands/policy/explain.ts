/** `bulkhead explain TENANT`: each limit, its value, and the line that set it. */
import type { Command } from 'commander';
import { attributes } from '../../../limits/limits.ts';
import type { KeyedAttribute } from '../../../limits/limits.ts';
import { LineIndex, suggestion } from '../../../policy/diagnostic.ts';
import type { PolicyDocument } from '../../../policy/document.ts';
import {
  findTenant,
  nameOf,
  originOf,
  type Link,
  type Policy,
  type Tenant,
} from '../../../policy/policy.ts';
import { printQuantity, type Quantity } from '../../../base/quantity.ts';
import {
  examples,
  exitCodes,
  type CommandModule,
  type ExitCode,
  type PolicyOptions,
} from '../../shared/command.ts';
import { policyOption } from '../../shared/policy-option.ts';
import {
  printError,
  pathsFor,
  loadPolicyOrReport,
  print,
  printJson,
} from '../../shared/session.ts';
import { table, terminalOf } from '../../shared/terminal.ts';

interface Row {
  readonly limit: string;
  readonly value: string;
  readonly from: string;
  /** Absent if no line of the policy sets it. */
  readonly line: number | undefined;
  /** The reseller's value, if it is the effective one. */
  readonly bound?: string;
}

function explain(name: string, options: PolicyOptions, command: Command): ExitCode {
  const paths = pathsFor(command);
  if (paths === undefined) return exitCodes.usage;
  const loaded = loadPolicyOrReport(options.policy, paths);
  if (loaded?.document === undefined) return exitCodes.failed;
  const { policy, document } = loaded;
  const tenant = findTenant(policy, name);
  if (tenant === undefined) {
    const names = policy.tenants.map((each) => each.account?.user ?? String(each.uid));
    printError({
      action: 'explain',
      object: name,
      reason: `it is not a tenant of ${options.policy}${suggestion(name, names)}`,
    });
    return exitCodes.failed;
  }
  const lines = new LineIndex(document.text);
  const rows = [...attributes.values()].map((each) => explainOne(each, tenant, policy, lines));
  if (options.json === true) printJson({ ...identity(tenant, policy), limits: rows });
  else printExplanation(tenant, policy, document, rows);
  return exitCodes.done;
}

function identity(tenant: Tenant, policy: Policy) {
  const reseller = policy.resellers.find((each) => each.uid === tenant.reseller);
  return {
    user: tenant.account?.user,
    uid: tenant.uid,
    package: tenant.package,
    reseller: reseller && nameOf(reseller),
  };
}

function explainOne(
  attribute: KeyedAttribute,
  tenant: Tenant,
  policy: Policy,
  lines: LineIndex,
): Row {
  const { key, kind } = attribute;
  const value: Quantity = tenant.values[key] ?? attribute.fallback;
  const origin = originOf(tenant.chain, key);
  const above = policy.resellers.find((each) => each.uid === tenant.reseller)?.values[key];
  const bounded =
    above !== undefined && above !== 'unlimited' && (value === 'unlimited' || value > above);
  return {
    limit: key.replace('.', ' '),
    value: printQuantity(kind, value),
    from: origin === undefined ? 'not set; this is the default' : describe(origin.link),
    line: origin && lines.at(origin.at.start).line,
    ...(bounded ? { bound: printQuantity(kind, above) } : {}),
  };
}

function describe({ kind, name }: Link): string {
  switch (kind) {
    case 'tenant':
      return 'the tenant itself';
    case 'package':
      return `package "${name}"`;
    case 'reseller package':
      return `package "${name}" of its reseller`;
    case 'reseller':
      return `reseller ${name}`;
    case 'defaults':
      return 'defaults';
  }
}

function printExplanation(
  tenant: Tenant,
  policy: Policy,
  document: PolicyDocument,
  rows: readonly Row[],
): void {
  const { colors } = terminalOf(process.stdout);
  const { package: packageName, reseller } = identity(tenant, policy);
  const facts = [
    ...(tenant.account === undefined ? [] : [`uid ${tenant.uid}`]),
    packageName === undefined ? 'no package' : `package ${packageName}`,
    ...(reseller === undefined ? [] : [`reseller ${reseller}`]),
  ];
  print(`${colors.bold(nameOf(tenant))}  (${facts.join(', ')})\n`);
  const cells = rows.map(({ limit, value, from, line, bound }) => {
    const where = line === undefined ? '' : `${document.file}:${line}`;
    const held = bound === undefined ? value : `${value} (reseller: ${bound})`;
    const paint = line === undefined ? colors.dim : (text: string) => text;
    return [limit, held, from, where].map(paint);
  });
  print(table([['LIMIT', 'VALUE', 'FROM', 'LINE'].map(colors.dim), ...cells]));
}

export const command: CommandModule = {
  define(command, run) {
    command
      .addOption(policyOption())
      .option('--json', 'print as JSON')
      .addHelpText(
        'after',
        examples(['bulkhead explain alice', ''], ['bulkhead explain 1001', 'by uid']),
      )
      .action(run(explain));
  },
};
