/** `bulkhead explain TENANT`: each limit of a tenant, or of one of its sites, its value, and the line that set it. */
import type { Command } from 'commander';
import type { LimitValues } from '../../../limits/limit.ts';
import { attributes } from '../../../limits/limits.ts';
import type { KeyedAttribute } from '../../../limits/limits.ts';
import { LineIndex, suggestion } from '../../../policy/diagnostic.ts';
import type { PolicyDocument } from '../../../policy/document.ts';
import {
  findTenant,
  jailOf,
  jailOriginOf,
  nameOf,
  originOf,
  siteName,
  splitSiteName,
  type Link,
  type Policy,
  type Site,
  type Tenant,
} from '../../../policy/policy.ts';
import { describeJail, type Jail } from '../../../policy/jail.ts';
import { printQuantity, unlimited, type Quantity } from '../../../base/quantity.ts';
import { elements, mayContain } from '../../../policy/vocabulary.ts';
import { fail, ok, type Result } from '../../../base/result.ts';
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
  /** The value of the reseller, or of the site's tenant, if it is the effective one. */
  readonly bound?: string;
  readonly boundBy?: Outer['kind'];
}

/** What is explained: a tenant, or a site. */
interface Subject {
  readonly tenant: Tenant;
  readonly site: Site | undefined;
}

/** What bounds it, nearest first. */
interface Outer {
  readonly kind: 'tenant' | 'reseller';
  readonly values: LimitValues;
}

function explain(name: string, options: PolicyOptions, command: Command): ExitCode {
  const paths = pathsFor(command);
  if (paths === undefined) return exitCodes.usage;
  const loaded = loadPolicyOrReport(options.policy, paths);
  if (loaded?.document === undefined) return exitCodes.failed;
  const { policy, document } = loaded;
  const found = findSubject(policy, name);
  if (!found.ok) {
    const reason = `it is not ${found.error}`;
    printError({ action: 'explain', object: name, reason });
    return exitCodes.failed;
  }
  const subject = found.value;
  const lines = new LineIndex(document.text);
  const rows = [...attributes.values()]
    .filter((each) => subject.site === undefined || mayLimitSite(each.limit.name))
    .map((each) => explainOne(each, subject, policy, lines));
  const jail = subject.site === undefined ? explainJail(subject.tenant, lines) : undefined;
  if (options.json === true) printJson({ ...identity(subject, policy), limits: rows, jail });
  else {
    const jailRow = jail && { ...jail, limit: 'jail', value: describeJail(jail.jail) };
    printExplanation(subject, policy, document, jailRow ? [...rows, jailRow] : rows);
  }
  return exitCodes.done;
}

/** What of the host it sees; absent where no line of the policy says so. */
function explainJail(
  { chain }: Tenant,
  lines: LineIndex,
): (Pick<Row, 'from' | 'line'> & { readonly jail: Jail | undefined }) | undefined {
  const origin = jailOriginOf(chain);
  if (origin === undefined) return undefined;
  const { line } = lines.at(origin.at.start);
  return { jail: jailOf({ chain }), from: describe(origin.link), line };
}

/** The error continues "it is not". */
function findSubject(policy: Policy, name: string): Result<Subject> {
  const [tenantName, wanted] = splitSiteName(name);
  const tenant = findTenant(policy, tenantName);
  if (tenant === undefined) {
    const names = policy.tenants.map((each) => each.account?.user ?? String(each.uid));
    return fail(`a tenant of ${policy.file}${suggestion(tenantName, names)}`);
  }
  if (wanted === undefined) return ok({ tenant, site: undefined });
  const site = tenant.sites.find((each) => each.name === wanted);
  if (site !== undefined) return ok({ tenant, site });
  const names = tenant.sites.map((each) => each.name);
  return fail(`a site of that tenant in ${policy.file}${suggestion(wanted, names)}`);
}

const mayLimitSite = (limit: string) =>
  elements['site'] !== undefined && mayContain(elements['site'], limit);

function identity({ tenant, site }: Subject, policy: Policy) {
  const reseller = policy.resellers.find((each) => each.uid === tenant.reseller);
  return {
    user: tenant.account?.user,
    uid: tenant.uid,
    site: site?.name,
    package: tenant.package,
    reseller: reseller && nameOf(reseller),
  };
}

function explainOne(
  { key, kind, fallback }: KeyedAttribute,
  subject: Subject,
  policy: Policy,
  lines: LineIndex,
): Row {
  const { values, chain } = subject.site ?? subject.tenant;
  const value: Quantity = values[key] ?? fallback;
  const origin = originOf(chain, key);
  const bound = outersOf(subject, policy).reduce<Bound | undefined>((nearest, outer) => {
    const above = outer.values[key];
    if (above === undefined || above === unlimited) return nearest;
    const now = nearest?.value ?? value;
    return now === unlimited || now > above ? { by: outer.kind, value: above } : nearest;
  }, undefined);
  return {
    limit: key.replace('.', ' '),
    value: printQuantity(kind, value),
    from: origin === undefined ? 'not set; this is the default' : describe(origin.link),
    line: origin && lines.at(origin.at.start).line,
    ...(bound === undefined ? {} : { bound: printQuantity(kind, bound.value), boundBy: bound.by }),
  };
}

interface Bound {
  readonly by: Outer['kind'];
  readonly value: Quantity;
}

function outersOf({ tenant, site }: Subject, policy: Policy): readonly Outer[] {
  const reseller = policy.resellers.find((each) => each.uid === tenant.reseller);
  return [
    ...(site === undefined ? [] : [{ kind: 'tenant' as const, values: tenant.values }]),
    ...(reseller === undefined ? [] : [{ kind: 'reseller' as const, values: reseller.values }]),
  ];
}

function describe({ kind, name }: Link): string {
  switch (kind) {
    case 'site':
      return 'the site itself';
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
  subject: Subject,
  policy: Policy,
  document: PolicyDocument,
  rows: readonly Row[],
): void {
  const { colors } = terminalOf(process.stdout);
  const { tenant, site } = subject;
  const { package: packageName, reseller } = identity(subject, policy);
  const facts = [
    ...(tenant.account === undefined ? [] : [`uid ${tenant.uid}`]),
    packageName === undefined ? 'no package' : `package ${packageName}`,
    ...(reseller === undefined ? [] : [`reseller ${reseller}`]),
  ];
  const name = site === undefined ? nameOf(tenant) : siteName(nameOf(tenant), site.name);
  print(`${colors.bold(name)}  (${facts.join(', ')})\n`);
  const cells = rows.map(({ limit, value, from, line, bound, boundBy }) => {
    const where = line === undefined ? '' : `${document.file}:${line}`;
    const held = bound === undefined ? value : `${value} (${boundBy}: ${bound})`;
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
        examples(
          ['bulkhead explain alice', ''],
          ['bulkhead explain alice/shop.example', 'one of her sites'],
          ['bulkhead explain 1001', 'by uid'],
        ),
      )
      .action(run(explain));
  },
};
