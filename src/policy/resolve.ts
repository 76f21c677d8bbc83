/**
 * PolicyDocument + host facts → Policy: the tenants, and what each inherits.
 *
 * Most specific first: tenant → its package → its reseller's package → defaults. A tenant that names no package has the
 * one for its plan in the panel, or the one that a plan gave it last, where that has the lower limits. The package of a
 * uid range applies to tenants that have neither, and whose reseller names none.
 */
import { Identities } from './accounts/identities.ts';
import type { Located, Span } from './diagnostic.ts';
import type {
  PackageElement,
  PolicyDocument,
  ResellerElement,
  SiteElement,
  TenantElement,
} from './document.ts';
import {
  formatIdentity,
  linksTo,
  observeLimits,
  valuesOf,
  type Chain,
  type HostFacts,
  type Identity,
  type Policy,
  type Reseller,
  type Tenant,
} from './policy.ts';
import { AppResolver } from './apps/resolve-apps.ts';
import { defaultDatabases, type DatabaseSettings } from './databases/database-settings.ts';
import { resolveDatabases } from './databases/resolve-databases.ts';
import { Inheritance, type Without } from './inheritance/inheritance.ts';
import { PanelMembers } from './panel/panel-members.ts';
import { warnAboutRights } from './rights/warn-about-rights.ts';
import { defaultSettings } from './settings.ts';
import { SiteResolver } from './sites/resolve-sites.ts';
import { fitsUnit } from './sites/site-unit.ts';
import { warnAbout } from './warnings.ts';

export function resolvePolicy(document: PolicyDocument, facts: HostFacts): Policy {
  return new Resolver(document, facts).policy();
}

/** The reseller of a tenant: what bounds their sum, and the package that they inherit. */
interface Bound {
  readonly uid?: number;
  readonly package?: PackageElement;
}

class Resolver {
  readonly #document: PolicyDocument;
  readonly #facts: HostFacts;
  readonly #identities: Identities;
  readonly #packages = new Map<string, PackageElement>();
  readonly #tenants = new Map<number, Tenant>();
  readonly #listedAt = new Map<number, Span>();
  readonly #resellers = new Map<number, Reseller>();
  /** The resellers of the policy by the names of their accounts, also of one that is gone. */
  readonly #bounds = new Map<string, Bound>();
  readonly #sites: SiteResolver;
  readonly #apps: AppResolver;
  readonly #exempt = new Set<number>();
  readonly #defaults: Chain;
  readonly #inheritance: Inheritance;
  readonly #panel: PanelMembers;

  constructor(document: PolicyDocument, facts: HostFacts) {
    this.#document = document;
    this.#facts = facts;
    this.#sites = new SiteResolver(document, facts);
    this.#apps = new AppResolver(document.diagnostics);
    this.#defaults = linksTo('defaults', document.defaults);
    this.#inheritance = new Inheritance(this.#defaults);
    this.#identities = new Identities(facts, document.diagnostics);
    this.#readPackages();
    const packages = {
      byName: this.#packages,
      find: (name: Located<string>) => this.#packageOf(name),
    };
    this.#panel = new PanelMembers(document.panel, facts, packages, document.diagnostics);
  }

  policy(): Policy {
    const document = this.#document;
    this.#readExceptions();
    const resellers = document.resellers.map((each) => [each, this.#addReseller(each)] as const);
    for (const tenant of document.tenants) this.#addTenant(tenant, undefined);
    for (const [{ tenants }, bound] of resellers)
      for (const tenant of tenants) this.#addTenant(tenant, bound);
    this.#addRanges();
    const tenants = [...this.#tenants.values()].sort((a, b) => a.uid - b.uid);
    const databaseSettings = this.#databases(tenants);
    const policy: Policy = {
      file: document.file,
      text: document.text,
      ...(document.merged && { merged: document.merged }),
      ...(document.fleet && { fleet: document.fleet.settings }),
      tenants,
      resellers: [...this.#resellers.values()].sort((a, b) => a.uid - b.uid),
      defaults: valuesOf(this.#defaults),
      driver: document.driver?.value,
      agent: document.agent ?? defaultSettings,
      ...(document.console && { console: document.console }),
      ...(document.panel && { panel: document.panel.source }),
      ...(this.#panel.isUnknown && { panelIsUnknown: true as const }),
      named: this.#identities.named,
      missing: this.#identities.missing,
      ...strictOf(document),
      ...(databaseSettings && { databases: databaseSettings }),
      ...(document.symlinks === undefined ? {} : { symlinks: document.symlinks.rule }),
    };
    this.#panel.report(document.diagnostics);
    warnAboutRights(document, policy);
    const unused = this.#unused(policy);
    warnAbout(policy, { unused, memoryBytes: this.#facts.memoryBytes }, document.diagnostics);
    if (document.limitMode?.value !== 'observe') return policy;
    document.diagnostics.warn(
      document.limitMode,
      'Limits are only observed: the kernel enforces none of them',
    );
    return observeLimits(policy);
  }

  /** Returns the database settings; undefined if neither the policy nor the panel says anything of them. */
  #databases(tenants: readonly Tenant[]): DatabaseSettings | undefined {
    const { databases, diagnostics } = this.#document;
    const stated = this.#panel.databaseAccounts(tenants);
    if (databases === undefined)
      return stated.length === 0 ? undefined : { ...defaultDatabases, stated };
    return resolveDatabases(databases, { tenants, stated }, diagnostics);
  }

  /**
   * Returns limits that a new tenant would get, from packages that no tenant uses yet, or the
   * defaults.
   */
  #unused({ tenants }: Policy): readonly Pick<Tenant, 'chain' | 'values'>[] {
    const used = new Set(tenants.map((each) => each.package));
    const packages = [...this.#packages.values()].filter(({ name }) => !used.has(name.value));
    const blocks = tenants.length === 0 && packages.length === 0 ? [undefined] : packages;
    return blocks.map((each) => this.#inheritance.of(undefined, each, undefined));
  }

  #error(at: Span, message: string): void {
    this.#document.diagnostics.error(at, message);
  }

  #readPackages(): void {
    for (const element of this.#document.packages) {
      if (this.#packages.has(element.name.value)) {
        this.#error(element.name, `The package "${element.name.value}" is defined twice`);
      } else {
        this.#packages.set(element.name.value, element);
      }
    }
  }

  #packageOf(name: Located<string> | undefined): PackageElement | undefined {
    if (name === undefined) return undefined;
    const found = this.#packages.get(name.value);
    if (found === undefined) {
      const hint = this.#document.diagnostics.hint(name.value, this.#packages.keys());
      this.#error(name, `There is no package "${name.value}"${hint}`);
    }
    return found;
  }

  /** Adds a tenant. `around`: the reseller whose element has it; without one, the panel may name its reseller. */
  #addTenant(element: TenantElement, around: Bound | undefined): void {
    const own = this.#packageOf(element.package);
    const identity = this.#identities.identify(element.name, 'tenant');
    if (identity === undefined) return;
    const { uid } = identity;
    if (this.#exempt.has(uid)) {
      this.#error(
        element.name,
        `The tenant ${formatIdentity(identity)} is also listed in "except"; remove one of them`,
      );
      return;
    }
    const earlier = this.#listedAt.get(uid);
    if (earlier !== undefined) {
      this.#error(
        element.name,
        `The tenant ${formatIdentity(identity)} is listed twice; first in line ${this.#document.diagnostics.lineOf(earlier)}`,
      );
      return;
    }
    this.#listedAt.set(uid, element.name);
    const bound = around ?? this.#panelBound(identity);
    if (around === undefined && bound.uid === undefined) this.#refuseLongSites(element);
    const packageElement = own ?? this.#assignedPackage(identity, bound.package);
    const without = own === undefined ? this.#withoutLast(identity, bound.package) : undefined;
    const inherited = this.#inheritance.of(element, packageElement, bound.package, without);
    this.#tenants.set(uid, {
      ...identity,
      ...this.#contactOf(identity),
      reseller: bound.uid,
      package: (packageElement ?? bound.package)?.name.value,
      ...this.#planOf(identity, packageElement),
      ...this.#sitesOf(element.sites, identity, inherited, bound.uid),
      ...this.#apps.resolve(element, { ...identity, chain: inherited.chain }),
      ...inherited,
    });
  }

  /** Returns the package of a tenant that names none itself; undefined if it has only its reseller's. */
  #assignedPackage(
    identity: Identity,
    resellers: PackageElement | undefined,
  ): PackageElement | undefined {
    return this.#panel.packageOf(identity) ?? this.#planlessPackage(identity, resellers);
  }

  #planlessPackage(
    { uid }: Identity,
    resellers: PackageElement | undefined,
  ): PackageElement | undefined {
    return resellers === undefined ? this.#rangePackage(uid) : undefined;
  }

  /** Returns the package that a tenant would have without its last one, if that must not lift its limits. */
  #withoutLast(identity: Identity, resellers: PackageElement | undefined): Without | undefined {
    if (!this.#panel.keepsLower(identity)) return undefined;
    return { package: this.#planlessPackage(identity, resellers) };
  }

  /** Returns what the account's plan in the panel did for its package. */
  #planOf(identity: Identity, used: PackageElement | undefined): Pick<Tenant, 'plan'> {
    const rule = this.#panel.ruleOf(identity);
    if (rule === undefined) return {};
    const { package: found, panel, plan, by, at } = rule;
    const decides = found === undefined ? 'no package' : found === used ? by : 'overruled';
    const stated = { panel, ...(plan !== undefined && { plan }) };
    return { plan: { ...stated, by: decides, at: { start: at.start, end: at.end } } };
  }

  #contactOf(identity: Identity): Pick<Tenant, 'mail'> {
    const mail = this.#panel.of(identity)?.mail;
    return mail === undefined ? {} : { mail };
  }

  /** Returns the reseller to whom the panel gives an account, if the policy has that reseller. */
  #panelBound(identity: Identity): Bound {
    const owner = this.#panel.of(identity)?.owner;
    return owner === undefined || owner === identity.account?.user
      ? {}
      : (this.#bounds.get(owner) ?? {});
  }

  /** Refuses long site names, since the slice of a site contains its name. */
  #refuseLongSites({ sites }: TenantElement): void {
    if (this.#document.driver?.value !== 'systemd') return;
    for (const { name } of sites) {
      if (fitsUnit(name.value)) continue;
      this.#error(
        name,
        'The name is too long for a slice of systemd; choose the driver "cgroup2", or put the tenant into a reseller',
      );
    }
  }

  #sitesOf(
    elements: readonly SiteElement[],
    tenant: Identity,
    { chain }: Pick<Tenant, 'chain'>,
    uid: number | undefined,
  ): Pick<Tenant, 'sites' | 'withdrawnSites'> {
    const reseller = uid === undefined ? undefined : this.#resellers.get(uid);
    return this.#sites.resolve(elements, { ...tenant, chain }, reseller);
  }

  #addReseller(element: ResellerElement): Bound {
    const ownPackage = this.#packageOf(element.package);
    const identity = this.#identities.identify(element.name, 'reseller');
    const uid = identity?.uid;
    if (identity !== undefined && this.#resellers.has(identity.uid)) {
      this.#error(element.name, `The reseller ${formatIdentity(identity)} is listed twice`);
    } else if (identity !== undefined) {
      const chain = linksTo('reseller', element, formatIdentity(identity));
      this.#resellers.set(identity.uid, {
        ...identity,
        ...this.#contactOf(identity),
        package: element.package?.value,
        ...(element.may && { may: element.may }),
        chain,
        values: valuesOf(chain),
      });
    }
    const bound = {
      ...(uid !== undefined && { uid }),
      ...(ownPackage && { package: ownPackage }),
    };
    const who = element.name.value;
    const user = who.kind === 'user' ? who.user : identity?.account?.user;
    if (user !== undefined) this.#bounds.set(user, bound);
    return bound;
  }

  #readExceptions(): void {
    for (const element of this.#document.tenantRanges) {
      this.#packageOf(element.package);
      for (const word of element.except) {
        const named = isDigits(word.value)
          ? undefined
          : this.#identities.accountOf(word.value, word, 'except');
        if (named?.state === 'replaced') continue;
        const uid = isDigits(word.value) ? Number(word.value) : named?.account.uid;
        if (uid !== undefined) {
          this.#exempt.add(uid);
          continue;
        }
        const unknown = `There is no user "${word.value}" on this host to except`;
        // A fleet's policy is for hosts that have such an account, too.
        if (this.#document.diagnostics.isElsewhere(word)) continue;
        this.#error(
          word,
          unknown + this.#document.diagnostics.hint(word.value, this.#identities.userNames),
        );
      }
    }
  }

  #addRanges(): void {
    const ranges = this.#document.tenantRanges.flatMap((element) =>
      element.uids.map((range) => ({ range, element })),
    );
    this.#checkRanges(ranges.map((each) => each.range));
    for (const account of this.#facts.accounts) {
      const { uid } = account;
      if (this.#tenants.has(uid) || this.#exempt.has(uid)) continue;
      if (this.#identities.neverTenant(uid) !== undefined) continue;
      const found = ranges.find(({ range }) => contains(range.value, uid));
      if (found === undefined) continue;
      this.#addAccount({ uid, account: this.#identities.at(uid) });
    }
  }

  /** Adds an account of a range that the policy does not name. */
  #addAccount(identity: Identity): void {
    const { uid } = identity;
    // A reseller's own account counts towards its sum.
    const bound: Bound = this.#resellers.has(uid) ? { uid } : this.#panelBound(identity);
    const packageElement = this.#assignedPackage(identity, bound.package);
    const without = this.#withoutLast(identity, bound.package);
    const inherited = this.#inheritance.of(undefined, packageElement, bound.package, without);
    this.#tenants.set(uid, {
      ...identity,
      ...this.#contactOf(identity),
      reseller: bound.uid,
      package: (packageElement ?? bound.package)?.name.value,
      ...this.#planOf(identity, packageElement),
      ...this.#sitesOf([], identity, inherited, bound.uid),
      ...this.#apps.resolve({ sites: [] }, { ...identity, chain: inherited.chain }),
      ...inherited,
    });
  }

  #rangePackage(uid: number): PackageElement | undefined {
    const element = this.#document.tenantRanges.find(({ uids }) =>
      uids.some((range) => contains(range.value, uid)),
    );
    return element?.package && this.#packages.get(element.package.value);
  }

  #checkRanges(ranges: readonly Located<{ first: number; last: number }>[]): void {
    const sorted = ranges.toSorted((a, b) => a.value.first - b.value.first);
    for (const [index, range] of sorted.entries()) {
      const { first, last } = range.value;
      const next = sorted[index + 1];
      if (next !== undefined && next.value.first <= last) {
        const [one, other] = range.start < next.start ? [range, next] : [next, range];
        this.#error(
          other,
          `The range overlaps with the one in line ${this.#document.diagnostics.lineOf(one)}; a uid may be in one range only`,
        );
      }
      if (first < this.#facts.uidMin) {
        this.#error(
          range,
          `The range "${first}-${last}" includes system users: UID_MIN in /etc/login.defs is ${this.#facts.uidMin}`,
        );
      }
    }
  }
}

const isDigits = (word: string) => /^\d+$/.test(word);

const contains = (range: { first: number; last: number }, uid: number) =>
  uid >= range.first && uid <= range.last;

function strictOf({ strictPlacement, modules }: PolicyDocument): Pick<Policy, 'strict'> {
  const strict = {
    ...(strictPlacement === undefined ? {} : { placement: strictPlacement }),
    ...(modules?.autoload === undefined ? {} : { modules: modules.autoload }),
  };
  return Object.keys(strict).length === 0 ? {} : { strict };
}
