/** Each limit of a tenant, or of one of its sites: its value, and the line that set it. */
import type { Cause } from '../../packages/base/problem.ts';
import type { LimitValues } from '../limits/limit.ts';
import { attributes, limitAttribute, type KeyedAttribute } from '../limits/limits.ts';
import { formatQuantity, unlimited, type Quantity } from '../../packages/base/quantity.ts';
import { explainCounts, type ExplainedCounts } from './databases/explain-counts.ts';
import type { DatabaseInstance } from './databases/own-database.ts';
import type { PolicyRight } from './document.ts';
import type { LineIndex } from './diagnostic.ts';
import { writtenPlace } from './fleet/merged.ts';
import type { Jail } from './jail.ts';
import {
  databaseInstanceOriginOf,
  givenLimits,
  isWritten,
  jailOf,
  jailOriginOf,
  nameOf,
  originOf,
  ownAppsOriginOf,
  type Chain,
  type Link,
  type LinkKind,
  type Policy,
  type Site,
  type Tenant,
  type TenantPlan,
  observesLimits,
} from './policy.ts';
import { explainNetwork, type ExplainedRule } from './network/explain-network.ts';
import type { OwnLimit } from './sites/site-limits.ts';
import { elements, mayContain } from './vocabulary.ts';

/** The origin of a limit that nobody sets. */
export const notSet = 'not set; this is the default';

/** The element of the policy, or the account, that sets a limit. */
export interface LimitOrigin {
  readonly kind: LinkKind;
  /** The name of the package, of the reseller, or of the account that set it; empty for others. */
  readonly name: string;
}

export interface ExplainedLimit {
  /** The limit, as `LIMIT.ATTRIBUTE`. */
  readonly limit: string;
  /** The value as the policy writes it. */
  readonly value: string;
  /** The origin, for people: an element of the policy, somebody who set it, or the default. */
  readonly from: string;
  /** The same in fields, for programs that translate it; absent if nobody sets it. */
  readonly origin?: LimitOrigin;
  /** Absent if no line of the policy sets it. */
  readonly line?: number;
  /** The file of the line, if it is not the policy's own. */
  readonly file?: string;
  /** The value of the reseller, or of the site's tenant, if it is the effective one. */
  readonly bound?: string;
  /** The kind of member that `bound` belongs to. */
  readonly boundBy?: Outer['kind'];
}

export interface ExplainedJail extends Pick<ExplainedLimit, 'from' | 'line' | 'file'> {
  /** The jail; absent if the profile is `none`. */
  readonly jail: Jail | undefined;
}

/** A limit that was set for a site outside the policy, and the reason why it is not in force. */
export interface IdleLimit {
  /** The limit, as `LIMIT.ATTRIBUTE`. */
  readonly limit: string;
  /** The value as the policy would write it. */
  readonly value: string;
  /** `alice`, `reseller acme`. */
  readonly by: string;
  readonly reason: string;
}

/** The applications of the policy, and how many the tenant may define itself. */
export interface ExplainedApps {
  /** The names of applications in the policy; for a site, those in it. */
  readonly policy: readonly string[];
  /** How many applications the tenant may define itself; absent if no line of the policy says so, and for a site. */
  readonly own?: ExplainedOwnApps;
}

/** Which database server a tenant has, and the line that says so. */
export interface ExplainedDatabase extends Pick<ExplainedLimit, 'from' | 'line' | 'file'> {
  /** `own`, or the ones that all tenants share. */
  readonly instance: DatabaseInstance;
}

export interface ExplainedOwnApps extends Pick<ExplainedLimit, 'from' | 'line' | 'file'> {
  /** The most at once. */
  readonly max: number;
}

/** The plan of the control panel that a tenant has, and what it decides. */
export interface ExplainedPlan {
  /** The panel's name. */
  readonly panel: string;
  /** The plan; `gold@acme` if a reseller owns it. Absent if the panel states none for an account that had one. */
  readonly plan?: string;
  /** Whether a `<plan>` names the package, the package has the plan's name, the last package is kept, or why the plan decides nothing. */
  readonly by: TenantPlan['by'];
  /** The line of the `<plan>` or the `<panel>`. */
  readonly line: number;
  /** The file of the line, if it is not the policy's own. */
  readonly file?: string;
}

/** The rights of a tenant's reseller. */
export interface ExplainedRights {
  /** The changes that it may make. */
  readonly rights: readonly PolicyRight[];
  /** The line of the reseller's element. */
  readonly line: number;
  /** The file of the line, if it is not the policy's own. */
  readonly file?: string;
}

export interface Explanation {
  /** The policy, to which lines refer. */
  readonly file: string;
  /** The account; absent if the uid has none. */
  readonly user: string | undefined;
  readonly uid: number;
  /** The site; absent for a tenant. */
  readonly site: string | undefined;
  /** The package; absent if there is none. */
  readonly package: string | undefined;
  /** The panel's plan; absent if the policy follows no panel, or it states none. */
  readonly plan?: ExplainedPlan;
  /** The reseller; absent if there is none. */
  readonly reseller: string | undefined;
  /** The changes that the reseller may make to its tenants' elements; absent if it may make none. */
  readonly delegated?: ExplainedRights;
  /** The limits, and their origins. */
  readonly limits: readonly ExplainedLimit[];
  /** Whether the limits are only observed, and none of them is enforced; absent if they are enforced. */
  readonly observed?: true;
  /** The jail; a site without its own has its tenant's. Absent if no line of the policy sets it. */
  readonly jail?: ExplainedJail;
  /** The hosts that the tenant reaches, and the ports that it may open, also for its sites; absent if no line of the policy is about them. */
  readonly network?: readonly ExplainedRule[];
  /** The applications; absent if there are none, and the tenant may define none. */
  readonly apps?: ExplainedApps;
  /** The tenant's database server; absent if no line of the policy says so, and for a site. */
  readonly database?: ExplainedDatabase;
  /** Whether the CPU time of database servers counts toward its limit; absent if no line of the policy says so, and for a site. */
  readonly databaseCounts?: ExplainedCounts;
  /** Limits that are not in force; absent if there are none. */
  readonly idle?: readonly IdleLimit[];
}

/** The subject of an explanation: a tenant, or a site. */
export interface ExplainSubject {
  readonly tenant: Tenant;
  readonly site: Site | undefined;
}

/** The tenant or reseller that bounds it, nearest first. */
interface Outer {
  readonly kind: 'tenant' | 'reseller';
  readonly values: LimitValues;
}

/** Explains the limits. `lines` are the lines of the policy's text. */
export function explain(subject: ExplainSubject, policy: Policy, lines: LineIndex): Explanation {
  const { tenant, site } = subject;
  const reseller = policy.resellers.find((each) => each.uid === tenant.reseller);
  const jail = explainJail([...(site?.chain ?? []), ...tenant.chain], lines);
  const idle = site === undefined ? [] : idleLimits(site);
  const apps = explainApps(subject, lines);
  return {
    file: policy.file,
    user: tenant.account?.user,
    uid: tenant.uid,
    site: site?.name,
    package: tenant.package,
    ...(tenant.plan && { plan: explainPlan(tenant.plan, lines) }),
    reseller: reseller && nameOf(reseller),
    ...(reseller?.may && {
      delegated: { rights: reseller.may.value, ...writtenPlace(lines, reseller.may) },
    }),
    limits: [...attributes.values()]
      .filter((each) => site === undefined || mayLimitSite(each.limit.name))
      .map((each) => explainOne(each, subject, policy, lines)),
    ...(observesLimits(policy) && { observed: true as const }),
    ...(jail && { jail }),
    ...networkOf(tenant, lines),
    ...(apps && { apps }),
    ...(site === undefined && explainDatabases(tenant.chain, lines)),
    ...(idle.length > 0 && { idle }),
  };
}

const explainPlan = ({ at, ...rest }: TenantPlan, lines: LineIndex): ExplainedPlan => ({
  ...rest,
  ...writtenPlace(lines, at),
});

/** Explains the jail. A site without its own jail has its tenant's. */
function explainJail(chain: Chain, lines: LineIndex): ExplainedJail | undefined {
  const origin = jailOriginOf(chain);
  if (origin === undefined) return undefined;
  const place = writtenPlace(lines, origin.at);
  return { jail: jailOf({ chain }), from: describe(origin.link), ...place };
}

function networkOf({ chain }: Tenant, lines: LineIndex): Pick<Explanation, 'network'> {
  const network = explainNetwork(chain, describe, lines);
  return network.length > 0 ? { network } : {};
}

function explainDatabases(
  chain: Chain,
  lines: LineIndex,
): Pick<Explanation, 'database' | 'databaseCounts'> {
  const database = explainDatabase(chain, lines);
  const counts = explainCounts(chain, lines, describe);
  return { ...(database && { database }), ...(counts && { databaseCounts: counts }) };
}

function explainDatabase(chain: Chain, lines: LineIndex): ExplainedDatabase | undefined {
  const origin = databaseInstanceOriginOf(chain);
  if (origin === undefined) return undefined;
  const place = writtenPlace(lines, origin.at);
  return { instance: origin.at.value, from: describe(origin.link), ...place };
}

function explainApps(
  { tenant, site }: ExplainSubject,
  lines: LineIndex,
): ExplainedApps | undefined {
  const apps = (tenant.apps ?? []).filter(
    (each) => each.isDatabase !== true && (site === undefined || each.site === site.name),
  );
  const origin = site === undefined ? ownAppsOriginOf(tenant.chain) : undefined;
  if (apps.length === 0 && origin === undefined) return undefined;
  return {
    policy: apps.map(({ name }) => name),
    ...(origin && {
      own: {
        max: origin.at.max,
        from: describe(origin.link),
        ...writtenPlace(lines, origin.at),
      },
    }),
  };
}

const mayLimitSite = (limit: string) =>
  elements['site'] !== undefined && mayContain(elements['site'], limit);

function explainOne(
  { key, kind, fallback }: KeyedAttribute,
  subject: ExplainSubject,
  policy: Policy,
  lines: LineIndex,
): ExplainedLimit {
  const member = subject.site ?? subject.tenant;
  const { chain } = member;
  const value: Quantity = givenLimits(member)[key] ?? fallback;
  const origin = originOf(chain, key);
  const place = origin && isWritten(origin.link) ? writtenPlace(lines, origin.at) : {};
  const bound = outersOf(subject, policy).reduce<Bound | undefined>((nearest, outer) => {
    const above = outer.values[key];
    if (above === undefined || above === unlimited) return nearest;
    const now = nearest?.value ?? value;
    return now === unlimited || now > above ? { by: outer.kind, value: above } : nearest;
  }, undefined);
  return {
    limit: key.replace('.', ' '),
    value: formatQuantity(kind, value),
    from: origin === undefined ? notSet : describe(origin.link),
    ...(origin && { origin: { kind: origin.link.kind, name: origin.link.name } }),
    ...place,
    ...(bound && { bound: formatQuantity(kind, bound.value), boundBy: bound.by }),
  };
}

interface Bound {
  readonly by: Outer['kind'];
  readonly value: Quantity;
}

function outersOf({ tenant, site }: ExplainSubject, policy: Policy): readonly Outer[] {
  const reseller = policy.resellers.find((each) => each.uid === tenant.reseller);
  return [
    ...(site === undefined ? [] : [{ kind: 'tenant' as const, values: givenLimits(tenant) }]),
    ...(reseller === undefined
      ? []
      : [{ kind: 'reseller' as const, values: givenLimits(reseller) }]),
  ];
}

function describe({ kind, name }: Link): string {
  switch (kind) {
    case 'site':
      return 'the site itself';
    case 'set by reseller':
    case 'set by tenant':
      return `set by ${name}`;
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

const whyIdle = ({ setter, state }: OwnLimit): Cause | undefined => {
  switch (state) {
    case 'in force':
      return undefined;
    case 'overruled':
      return { reason: 'the policy sets this limit of the site' };
    case 'overruled by reseller':
      return { reason: 'its reseller has set this limit of the site' };
    case 'withdrawn':
      return {
        reason: `the policy does not let ${setter === 'tenant' ? 'the tenant' : 'its reseller'} set limits of its sites`,
      };
  }
};

const idleLimits = ({ own = [] }: Site): readonly IdleLimit[] =>
  own.flatMap((each) => {
    const cause = whyIdle(each);
    if (cause === undefined) return [];
    const { key, value, by } = each;
    const text = formatQuantity(limitAttribute(key).kind, value);
    const { reason } = cause;
    return [{ limit: key.replace('.', ' '), value: text, by, reason }];
  });
