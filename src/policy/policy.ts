/**
 * The resolved policy: without XML, with everything inherited, and with every tenant identified by its uid.
 *
 * Plain data: the process that reads a policy sends it to the agent.
 */
import type { LimitKey, LimitValues } from '../limits/limit.ts';
import type { Quantity } from '../../packages/base/quantity.ts';
import type { Located, Span } from './diagnostic.ts';
import type {
  DriverName,
  InheritedBlock,
  LimitBlock,
  PolicyRight,
  SiteLimitSetter,
  SiteLimitSetters,
  StrictMode,
  SymlinkRule,
} from './document.ts';
import type { App, OwnAppsElement } from './apps/app.ts';
import type { Account } from './accounts/account.ts';
import type { MissingAccount, NamedAccount } from './accounts/named-accounts.ts';
import type { FleetSettings } from './fleet/fleet-settings.ts';
import type { Merged } from './fleet/merged.ts';
import type { Jail, JailElement } from './jail.ts';
import type { ListenElement, ReachElement } from './network/reach.ts';
import type { DatabaseSettings } from './databases/database-settings.ts';
import type { DatabaseCounts } from '../limits/database.ts';
import type { DatabaseInstance } from './databases/own-database.ts';
import type { ConsoleSettings } from './elements/console-settings.ts';
import type { LastPackages } from './panel/last-packages.ts';
import type { FollowedSource } from './panel/panel-element.ts';
import type { PanelRecord } from './panel/panel-record.ts';
import type { AgentSettings } from './settings.ts';
import type { OwnLimit, SetSiteLimits } from './sites/site-limits.ts';
import { because, improvedBy } from '../../packages/base/layer-texts.ts';
import { printable } from '../../packages/base/printable.ts';
import type { Cause, Problem } from '../../packages/base/problem.ts';
import type { Result } from '../../packages/base/result.ts';

export type { Account };

/** Host facts that determine which accounts are tenants. */
export interface HostFacts {
  readonly accounts: readonly Account[];
  /** `UID_MIN` of login.defs: accounts below belong to the system. */
  readonly uidMin: number;
  /** The memory of the host, if known. */
  readonly memoryBytes?: number;
  /** Accounts that the policy names and that do not exist now, by name; `accounts` has those that keep their uid. */
  readonly missing?: ReadonlyMap<string, NamedAccount>;
  /** Limits set for sites outside the policy, by the tenant's uid; only limits of current uid owners. */
  readonly siteLimits?: ReadonlyMap<number, SetSiteLimits>;
  /** The facts last read from the panel, or the reason why they cannot be used; absent if it was never read. */
  readonly panel?: Result<PanelRecord, Cause> | undefined;
  /** The packages that accounts had last by their plans, or the reason why they are not known. */
  readonly lastPackages?: Result<LastPackages, Problem> | undefined;
}

/** The kind of a link. `set by …`: limits set for a site outside the policy, so its text does not have them. */
export type LinkKind =
  | 'site'
  | `set by ${SiteLimitSetter}`
  | 'tenant'
  | 'package'
  | 'reseller package'
  | 'reseller'
  | 'defaults';

/** An element from which a limit may be inherited. */
export interface Link {
  readonly kind: LinkKind;
  readonly name: string;
  /** The attributes written there. */
  readonly written: LimitBlock['values'];
  readonly jail?: JailElement | undefined;
  readonly reach?: ReachElement | undefined;
  readonly listen?: ListenElement | undefined;
  readonly siteLimits?: SiteLimitSetters | undefined;
  readonly ownApps?: OwnAppsElement | undefined;
  readonly databaseInstance?: Located<DatabaseInstance> | undefined;
  readonly databaseCounts?: Located<DatabaseCounts> | undefined;
}

/** Links, nearest first. */
export type Chain = readonly Link[];

export interface Identity {
  readonly uid: number;
  /** Absent for a uid without an account. */
  readonly account: Account | undefined;
}

/** The part of an account's entry in the panel that messages need. */
interface Contact {
  /** The address for mail, if the policy follows a panel that states one. */
  readonly mail?: string;
}

/** The plan that the panel states for a tenant, and whether it decides the tenant's package. */
export interface TenantPlan {
  /** The panel's name. */
  readonly panel: string;
  /** The plan; `gold@acme` if a reseller owns it. Absent if the panel states none for an account that had one. */
  readonly plan?: string;
  /**
   *     plan        a <plan> of the policy names the package
   *     panel       the package has the plan's name
   *     kept        the policy has no package for it, and the tenant keeps the lower limits of the one that it had last
   *     no package  the policy has no package for it
   *     overruled   the policy names another package for this tenant
   */
  readonly by: 'plan' | 'panel' | 'kept' | 'no package' | 'overruled';
  /** The element that decides, in the policy's text. */
  readonly at: Span;
}

export interface Tenant extends Identity, Contact {
  readonly reseller: number | undefined;
  readonly package: string | undefined;
  /** Absent if the policy follows no panel, or the panel never stated a plan for the account. */
  readonly plan?: TenantPlan;
  /** The sites, in the order of the policy. */
  readonly sites: readonly Site[];
  /** Sites that would exist if the setters of their limits were still allowed to set them; absent if there are none. */
  readonly withdrawnSites?: readonly Site[];
  /** The applications of the tenant and of its sites; absent if there are none. */
  readonly apps?: readonly App[];
  /** The limits in force. Shared by all tenants that inherit the same. */
  readonly values: LimitValues;
  /** The limits that are only observed; absent if limits are enforced. */
  readonly observed?: LimitValues;
  readonly chain: Chain;
}

/** A site of a tenant: its own limits, within the tenant's limits. */
export interface Site {
  /** Its host name, in lower case. */
  readonly name: string;
  readonly values: LimitValues;
  /** The limits that are only observed; absent if limits are enforced. */
  readonly observed?: LimitValues;
  readonly chain: Chain;
  /** The limits set for it outside the policy, whether in force or not; absent if there are none. */
  readonly own?: readonly OwnLimit[];
  /** The account whose limits make it a site; absent if the policy has it. */
  readonly madeBy?: SiteLimitSetter;
}

export interface Reseller extends Identity, Contact {
  readonly package: string | undefined;
  /** The changes that it may make to elements of its tenants; absent if it may make none. */
  readonly may?: Located<readonly PolicyRight[]>;
  /** Limits on the sum of its tenants. */
  readonly values: LimitValues;
  /** The limits that are only observed; absent if limits are enforced. */
  readonly observed?: LimitValues;
  readonly chain: Chain;
}

export interface Policy {
  readonly file: string;
  /** The text to which the positions of limits refer; `linesOf()` gives their lines. */
  readonly text: string;
  /** Present if the text was merged from the file and a fleet's policy. */
  readonly merged?: Merged;
  /** The fleet to which the host belongs; absent if it belongs to none. */
  readonly fleet?: FleetSettings;
  /** The tenants, by uid. */
  readonly tenants: readonly Tenant[];
  readonly resellers: readonly Reseller[];
  /** Limits of tenants that have no more specific ones. */
  readonly defaults: LimitValues;
  /** The defaults if limits are only observed; absent if they are enforced (`observesLimits()`). */
  readonly observedDefaults?: LimitValues;
  readonly driver: DriverName | undefined;
  readonly agent: AgentSettings;
  readonly console?: ConsoleSettings;
  /** The database servers, and whose their accounts are; absent: `defaultDatabases`. */
  readonly databases?: DatabaseSettings;
  /** The panel that the policy follows; absent if it follows none. */
  readonly panel?: FollowedSource;
  /** Whether nothing is known of that panel, so that an account without a reseller may have one. */
  readonly panelIsUnknown?: true;
  /** The accounts that the policy names; an apply records them. */
  readonly named: readonly NamedAccount[];
  /** Accounts among them that do not exist now. */
  readonly missing: readonly MissingAccount[];
  /** Actions that the kernel refuses tenants, or reports, apart from limits. */
  readonly strict?: {
    /** Processes that get a tenant's uid outside its cgroup. */
    readonly placement?: StrictMode;
    /** Modules that the kernel would load at a tenant's request. */
    readonly modules?: StrictMode;
  };
  /** The rule for symbolic links; if absent, all links are followed. */
  readonly symlinks?: SymlinkRule;
}

/** Returns a name for display: the account's name, or `uid 1001`. */
export function nameOf(who: Identity): string {
  return who.account === undefined ? `uid ${who.uid}` : printable(who.account.user);
}

/** Describes a tenant or reseller in messages about the policy: `"alice" (uid 1001)`. */
export const formatIdentity = ({ account, uid }: Identity): string =>
  account === undefined ? `uid ${uid}` : `"${account.user}" (uid ${uid})`;

/** Returns the link; none if there is no such element. */
export const linksTo = (kind: LinkKind, block: InheritedBlock | undefined, name = ''): Chain =>
  block === undefined
    ? []
    : [
        {
          kind,
          name,
          written: block.values,
          ...(block.jail && { jail: block.jail }),
          ...(block.reach && { reach: block.reach }),
          ...(block.listen && { listen: block.listen }),
          ...(block.siteLimits && { siteLimits: block.siteLimits }),
          ...(block.ownApps && { ownApps: block.ownApps }),
          ...(block.databaseInstance && { databaseInstance: block.databaseInstance }),
          ...(block.databaseCounts && { databaseCounts: block.databaseCounts }),
        },
      ];

export function valuesOf(chain: Chain): LimitValues {
  const values: Partial<Record<LimitKey, Quantity>> = {};
  for (const { written } of chain.toReversed()) {
    for (const [key, { value }] of written) values[key] = value;
  }
  return values;
}

/** Returns the element that sets a limit. */
export function originOf(
  chain: Chain,
  key: LimitKey,
): { link: Link; at: Located<Quantity> } | undefined {
  for (const link of chain) {
    const at = link.written.get(key);
    if (at !== undefined) return { link, at };
  }
  return undefined;
}

/** Returns the element that decides what a tenant sees of the host. */
export function jailOriginOf(chain: Chain): { link: Link; at: JailElement } | undefined {
  for (const link of chain) {
    if (link.jail !== undefined) return { link, at: link.jail };
  }
  return undefined;
}

/** Returns the accounts that may set limits of a tenant's sites, besides the policy. */
export const delegatesOf = ({ chain }: { readonly chain: Chain }): SiteLimitSetters =>
  chain.find(({ siteLimits }) => siteLimits !== undefined)?.siteLimits ?? [];

/** Returns the element that decides how many applications a tenant may define itself. */
export function ownAppsOriginOf(chain: Chain): { link: Link; at: OwnAppsElement } | undefined {
  for (const link of chain) {
    if (link.ownApps !== undefined) return { link, at: link.ownApps };
  }
  return undefined;
}

/** Returns how many applications a tenant may define itself. */
export const ownAppsMaxOf = ({ chain }: { readonly chain: Chain }): number =>
  ownAppsOriginOf(chain)?.at.max ?? 0;

/** Returns the element that decides whether a tenant has a database server of its own. */
export function databaseInstanceOriginOf(
  chain: Chain,
): { link: Link; at: Located<DatabaseInstance> } | undefined {
  for (const link of chain) {
    if (link.databaseInstance !== undefined) return { link, at: link.databaseInstance };
  }
  return undefined;
}

/** Whether a tenant has a database server of its own. */
export const hasOwnDatabase = ({ chain }: { readonly chain: Chain }): boolean =>
  databaseInstanceOriginOf(chain)?.at.value === 'own';

/** Whether a line of the policy has it. */
export const isWritten = ({ kind }: Link): boolean =>
  kind !== 'set by tenant' && kind !== 'set by reseller';

/** Returns the jail; for a site only its own jail, not its tenant's. */
export function jailOf({ chain }: { readonly chain: Chain }): Jail | undefined {
  const element = jailOriginOf(chain)?.at;
  const profile = element?.profile.value ?? 'none';
  if (element === undefined || profile === 'none') return undefined;
  const { paths, commands, databases, home } = element;
  return {
    profile,
    paths,
    ...(commands && { commands }),
    ...(databases && { databases }),
    ...(home && { home: home.value }),
  };
}

/** Returns the name of a site for people: `alice/shop.example`. Account names have no slash. */
export const siteName = (tenant: string, site: string) => `${tenant}/${site}`;

/** Splits such a name; the second part is absent if it names a tenant. */
export function splitSiteName(name: string): readonly [tenant: string, site: string | undefined] {
  const at = name.indexOf('/');
  if (at === -1) return [name, undefined];
  return [name.slice(0, at), name.slice(at + 1).toLowerCase()];
}

/** Finds a tenant by its account name, or by its uid as digits. */
export function findTenant(policy: Policy, name: string): Tenant | undefined {
  const uid = /^\d{1,10}$/.test(name) ? Number(name) : undefined;
  return policy.tenants.find((each) => each.account?.user === name || each.uid === uid);
}

const none: LimitValues = {};

/**
 * Returns the policy with limits that are only observed (`<host limits="observe"/>`): no member has one in force, so that
 * nothing that enforces limits can know of one.
 */
export const observeLimits = (policy: Policy): Policy => ({
  ...policy,
  tenants: policy.tenants.map((each) => ({
    ...observe(each),
    sites: each.sites.map(observe),
    ...(each.withdrawnSites && { withdrawnSites: each.withdrawnSites.map(observe) }),
  })),
  resellers: policy.resellers.map(observe),
  defaults: none,
  observedDefaults: policy.defaults,
});

/** Whether the limits of a policy are only observed. */
export const observesLimits = ({ observedDefaults }: Pick<Policy, 'observedDefaults'>): boolean =>
  observedDefaults !== undefined;

const observe = <Member extends { readonly values: LimitValues }>(member: Member) => ({
  ...member,
  values: none,
  observed: member.values,
});

/** Explains a limit of such a policy, and how it is enforced. */
export const onlyObserved = { ...because('only observed'), ...improvedBy('stop observing') };

/** Returns the limits that the policy gives a member, in force or only observed. */
export const givenLimits = ({
  values,
  observed,
}: {
  readonly values: LimitValues;
  readonly observed?: LimitValues;
}): LimitValues => observed ?? values;
