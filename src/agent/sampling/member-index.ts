/** The current members and their limits: built once from the policy, looked up at every tick. */
import type { LimitKey, LimitValues } from '../../limits/limit.ts';
import { limitAttribute, attributes } from '../../limits/limits.ts';
import { partCgroups, resellerCgroup, siteCgroup, tenantCgroup } from '../../plan/wanted.ts';
import { countsDatabases } from '../../policy/databases/counted-cpu.ts';
import { explain, type Explanation } from '../../policy/explain.ts';
import { linesOf, writtenPlace } from '../../policy/fleet/merged.ts';
import type { LineIndex } from '../../policy/diagnostic.ts';
import {
  givenLimits,
  isWritten,
  nameOf,
  originOf,
  siteName,
  splitSiteName,
  type Policy,
  type Reseller,
  type Site,
  type Tenant,
} from '../../policy/policy.ts';
import type { DigestRule } from '../../policy/settings.ts';
import { formatQuantity, unlimited } from '../../../packages/base/quantity.ts';
import {
  resellerMember,
  siteMember,
  tenantMember,
  uidOf,
  type Member,
} from '../../usage/member.ts';
import type { Customers, PromisedLimit } from '../fleet/fleet-agent.ts';
import type { LimitNumbers, LimitTexts, Who } from '../api/api.ts';
import { limitNumbers } from './limit-numbers.ts';

export interface MemberEntry {
  readonly who: Who;
  readonly cgroup: string;
  readonly values: LimitValues;
  /** The limits that are only observed; absent if limits are enforced. */
  readonly observed?: LimitValues;
  /** The limits in force. */
  readonly limits: LimitNumbers;
  readonly limitTexts: LimitTexts;
  /** The limits that the policy gives it, in force or only observed. */
  readonly given: { readonly numbers: LimitNumbers; readonly texts: LimitTexts };
  /** The account for mail, if it has one. */
  readonly account: string | undefined;
  /** The address that the panel has for it. */
  readonly mail?: string | undefined;
  /** The home directory, if it has an account. */
  readonly home: string | undefined;
  readonly resellerUid: number | undefined;
  readonly source: Pick<Tenant | Reseller | Site, 'chain'> & Pick<Site, 'own'>;
  /** The cgroups into which a tenant with sites is divided: one for each site, and one for everything else. */
  readonly parts: readonly string[];
}

export class MemberIndex {
  readonly entries: ReadonlyMap<Member, MemberEntry>;
  readonly tenants: number;
  readonly resellers: number;
  readonly customers: Customers;
  readonly defaults: LimitNumbers;
  readonly #policy: Policy | undefined;
  readonly #byName = new Map<string, MemberEntry>();
  #lines: LineIndex | undefined;

  /** The digests of the policy. */
  get digests(): readonly DigestRule[] {
    return this.#policy?.agent.alerts.digests ?? [];
  }

  constructor(policy?: Policy) {
    this.#policy = policy;
    this.tenants = policy?.tenants.length ?? 0;
    this.resellers = policy?.resellers.length ?? 0;
    this.defaults = limitNumbers(policy?.defaults ?? {});
    this.entries = new Map(entriesOf(policy).map((each) => [each.who.member, each]));
    for (const entry of this.entries.values()) this.#addNames(entry);
    this.customers = customersOf(policy, this.entries);
  }

  /** Finds an account by name or uid; a tenant before the reseller of the same name. */
  #addNames(entry: MemberEntry): void {
    const { uid, kind, site } = entry.who;
    for (const account of [entry.account, String(uid)]) {
      if (account === undefined) continue;
      const name = site === undefined ? account : siteName(account, site);
      if (kind !== 'reseller' || !this.#byName.has(name)) this.#byName.set(name, entry);
    }
  }

  find(name: string): MemberEntry | undefined {
    const [account, site] = splitSiteName(name);
    const known = site === undefined ? account : siteName(account, site);
    return this.#byName.get(known) ?? this.entries.get(known as Member);
  }

  /** Returns the line of the policy that sets this limit of a member: `/etc/bulkhead/policy.xml:12`. */
  originOf(member: Member, key: LimitKey): string {
    const entry = this.entries.get(member);
    const found = entry && originOf(entry.source.chain, key);
    if (found === undefined || this.#policy === undefined) return 'not set in the policy';
    if (!isWritten(found.link)) return `set by ${found.link.name}`;
    this.#lines ??= linesOf(this.#policy);
    const { line, file = this.#policy.file } = writtenPlace(this.#lines, found.at);
    const { kind, name } = found.link;
    return `${file}:${line} (${kind}${name === '' || kind === 'reseller' ? '' : ` ${name}`})`;
  }

  /** Explains a member's limits; undefined for a reseller. */
  explain(member: Member): Explanation | undefined {
    const { uid, kind, site: name } = this.entries.get(member)?.who ?? {};
    const tenant = this.#policy?.tenants.find((each) => each.uid === uid);
    if (tenant === undefined || this.#policy === undefined || kind === 'reseller') return undefined;
    this.#lines ??= linesOf(this.#policy);
    const site = tenant.sites.find((each) => each.name === name);
    return explain({ tenant, site }, this.#policy, this.#lines);
  }

  /** Returns the sum of a limit of all tenants, and the number of those without one. */
  promised(key: LimitKey): PromisedLimit {
    let [sum, unlimited] = [0, 0];
    for (const { who, given } of this.entries.values()) {
      if (who.kind !== 'tenant') continue;
      const limit = given.numbers[key];
      if (limit === undefined) unlimited += 1;
      else sum += limit;
    }
    return { sum, unlimited };
  }

  /** Returns a limit of a member, in force or only observed. */
  valueText(member: Member, key: LimitKey): string {
    return this.entries.get(member)?.given.texts[key] ?? unlimited;
  }
}

function customersOf(
  policy: Policy | undefined,
  entries: ReadonlyMap<Member, MemberEntry>,
): Customers {
  const { resellers = [], tenants = [] } = policy ?? {};
  const customerOf = (member: Member): Member => {
    // A reseller's own account may be a tenant as well.
    const own = resellerMember(uidOf(member));
    const { resellerUid } = entries.get(member) ?? {};
    if (resellerUid !== undefined) return resellerMember(resellerUid);
    return entries.has(own) ? own : member;
  };
  const all = [
    ...tenants.map(({ uid }) => tenantMember(uid)),
    ...resellers.map(({ uid }) => resellerMember(uid)),
  ];
  return {
    count: new Set(all.map(customerOf)).size,
    find: (member) => ({
      name: entries.get(member)?.who.name ?? member,
      customer: customerOf(member),
    }),
  };
}

function entriesOf(policy: Policy | undefined): readonly MemberEntry[] {
  if (policy === undefined) return [];
  const textsOf = shared(limitTexts);
  const numbersOf = shared(limitNumbers);
  const resellerNames = new Map(policy.resellers.map((each) => [each.uid, nameOf(each)]));
  const entry = (
    source: Tenant | Reseller,
    cgroup: string,
    kind: Who['kind'],
    parts: readonly string[] = [],
  ): MemberEntry => {
    const { uid, account, mail, values, observed } = source;
    const resellerUid = 'reseller' in source ? source.reseller : undefined;
    const reseller = resellerUid === undefined ? undefined : resellerNames.get(resellerUid);
    return {
      who: {
        member: kind === 'tenant' ? tenantMember(uid) : resellerMember(uid),
        uid,
        name: nameOf(source),
        kind,
        ...(reseller === undefined ? {} : { reseller }),
        ...(source.package === undefined ? {} : { package: source.package }),
      },
      cgroup,
      values,
      ...(observed && { observed }),
      limits: numbersOf(values),
      limitTexts: textsOf(values),
      given: { numbers: numbersOf(observed ?? values), texts: textsOf(observed ?? values) },
      account: account?.user,
      mail,
      home: account?.home,
      resellerUid,
      source,
      parts,
    };
  };
  return [
    ...policy.resellers.map((each) => entry(each, resellerCgroup(each.uid), 'reseller')),
    ...policy.tenants.flatMap((each) => {
      const cgroup = tenantCgroup(each);
      const tenant = entry(each, cgroup, 'tenant', partCgroups(each));
      return [tenant, ...each.sites.map((site) => siteEntry(tenant, site))];
    }),
  ];
}

/** Builds the entry of a tenant's site, `source`, which need not be in the policy yet. */
export const siteEntry = (
  { who, cgroup, account, mail, home, resellerUid }: MemberEntry,
  source: Site,
): MemberEntry => ({
  who: {
    ...who,
    member: siteMember(who.uid, source.name),
    name: siteName(who.name, source.name),
    kind: 'site',
    site: source.name,
    tenant: who.name,
  },
  cgroup: siteCgroup(cgroup, source.name),
  values: source.values,
  ...(source.observed && { observed: source.observed }),
  limits: limitNumbers(source.values),
  limitTexts: limitTexts(source.values),
  given: {
    numbers: limitNumbers(givenLimits(source)),
    texts: limitTexts(givenLimits(source)),
  },
  account,
  mail,
  home,
  resellerUid,
  source,
  parts: [],
});

/** Thousands of tenants share a few sets of values, so each set is converted once. */
function shared<T>(make: (values: LimitValues) => T): (values: LimitValues) => T {
  const known = new Map<LimitValues, T>();
  return (values) => {
    let made = known.get(values);
    if (made === undefined) known.set(values, (made = make(values)));
    return made;
  };
}

function limitTexts(values: LimitValues): LimitTexts {
  const pairs = [...attributes.keys()].map((key) => {
    const { kind, fallback } = limitAttribute(key);
    return [key, formatQuantity(kind, values[key] ?? fallback)] as const;
  });
  return Object.fromEntries(pairs);
}

/** Whether the use of database servers counts toward the CPU limit of a member. */
export const countsToward = ({
  who,
  limits,
  source,
}: Pick<MemberEntry, 'who' | 'limits' | 'source'>): boolean =>
  who.kind === 'tenant' && limits['cpu.limit'] !== undefined && countsDatabases(source);
