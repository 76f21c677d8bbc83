/**
 * The resolved policy: no XML left, everything inherited, every tenant identified by its uid.
 *
 * Plain data: the process that reads a policy sends it to the agent.
 */
import type { LimitKey, LimitValues } from '../limits/limit.ts';
import type { Quantity } from '../base/quantity.ts';
import { type Located } from './diagnostic.ts';
import type {
  DriverName,
  InheritedBlock,
  LimitBlock,
  SiteLimitSetter,
  SiteLimitSetters,
  StrictMode,
  SymlinkRule,
} from './document.ts';
import type { Jail, JailElement } from './jail.ts';
import type { AgentSettings } from './settings.ts';
import type { OwnLimit, SetSiteLimits } from './sites/site-limits.ts';
import { printable } from '../base/printable.ts';

/** The relevant fields of one line of /etc/passwd. */
export interface Account {
  readonly user: string;
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
}

/** Facts of the host that determine who is a tenant. */
export interface HostFacts {
  readonly accounts: readonly Account[];
  /** `UID_MIN` of login.defs: accounts below belong to the system. */
  readonly uidMin: number;
  /** What has been set for sites beside the policy, by the uid of the tenant; only by who still has the uid. */
  readonly siteLimits?: ReadonlyMap<number, SetSiteLimits>;
}

/** `set by …`: what has been set for a site beside the policy, whose text does not have it. */
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
  readonly siteLimits?: SiteLimitSetters | undefined;
}

/** Nearest first. */
export type Chain = readonly Link[];

export interface Identity {
  readonly uid: number;
  /** Absent for a uid without an account. */
  readonly account: Account | undefined;
}

export interface Tenant extends Identity {
  readonly reseller: number | undefined;
  readonly package: string | undefined;
  /** In the order of the policy. */
  readonly sites: readonly Site[];
  /** What would be sites if whoever has set limits of them were allowed to; absent if nothing. */
  readonly withdrawnSites?: readonly Site[];
  /** Shared by all tenants that inherit the same. */
  readonly values: LimitValues;
  readonly chain: Chain;
}

/** A site of a tenant: limits of its own, within those of the tenant. */
export interface Site {
  /** Its host name, in lower case. */
  readonly name: string;
  readonly values: LimitValues;
  readonly chain: Chain;
  /** What has been set for it beside the policy, whether that is in force or not; absent if nothing. */
  readonly own?: readonly OwnLimit[];
  /** Whose limits make it a site; absent if the policy has it. */
  readonly madeBy?: SiteLimitSetter;
}

export interface Reseller extends Identity {
  readonly package: string | undefined;
  /** The limits on the sum of its tenants. */
  readonly values: LimitValues;
  readonly chain: Chain;
}

export interface Policy {
  readonly file: string;
  /** The text to which the positions of limits refer. */
  readonly text: string;
  /** By uid. */
  readonly tenants: readonly Tenant[];
  readonly resellers: readonly Reseller[];
  /** For tenants that have no more specific ones. */
  readonly defaults: LimitValues;
  readonly driver: DriverName | undefined;
  readonly agent: AgentSettings;
  /** What the kernel refuses tenants, or reports, beside limits. */
  readonly strict?: {
    /** Processes that become a tenant's outside of its cgroup. */
    readonly placement?: StrictMode;
    /** Modules that it would load because a tenant asks for something. */
    readonly modules?: StrictMode;
  };
  /** Absent: links are followed wherever they lead. */
  readonly symlinks?: SymlinkRule;
}

/** For display: the account's name, or `uid 1001`. */
export function nameOf(who: Identity): string {
  return who.account === undefined ? `uid ${who.uid}` : printable(who.account.user);
}

/** For messages about the policy: `"alice" (uid 1001)`. */
export const describeIdentity = ({ account, uid }: Identity): string =>
  account === undefined ? `uid ${uid}` : `"${account.user}" (uid ${uid})`;

/** No link where there is no such element. */
export const linksTo = (kind: LinkKind, block: InheritedBlock | undefined, name = ''): Chain =>
  block === undefined
    ? []
    : [
        {
          kind,
          name,
          written: block.values,
          ...(block.jail && { jail: block.jail }),
          ...(block.siteLimits && { siteLimits: block.siteLimits }),
        },
      ];

export function valuesOf(chain: Chain): LimitValues {
  const values: Partial<Record<LimitKey, Quantity>> = {};
  for (const { written } of chain.toReversed()) {
    for (const [key, { value }] of written) values[key] = value;
  }
  return values;
}

/** The element that sets a limit. */
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

/** The element that says what a tenant sees of the host. */
export function jailOriginOf(chain: Chain): { link: Link; at: JailElement } | undefined {
  for (const link of chain) {
    if (link.jail !== undefined) return { link, at: link.jail };
  }
  return undefined;
}

/** Who may set limits of the sites of a tenant beside the policy. */
export const settersOf = ({ chain }: { readonly chain: Chain }): SiteLimitSetters =>
  chain.find(({ siteLimits }) => siteLimits !== undefined)?.siteLimits ?? [];

/** Whether a line of the policy has it. */
export const isWritten = ({ kind }: Link): boolean =>
  kind !== 'set by tenant' && kind !== 'set by reseller';

/** Of a site: the one of its own, which is not that of its tenant. */
export function jailOf({ chain }: { readonly chain: Chain }): Jail | undefined {
  const element = jailOriginOf(chain)?.at;
  const profile = element?.profile.value ?? 'none';
  if (element === undefined || profile === 'none') return undefined;
  const { paths, commands, home } = element;
  return { profile, paths, ...(commands && { commands }), ...(home && { home: home.value }) };
}

/** A site on its way to people: `alice/shop.example`. Names of accounts have no slash. */
export const siteName = (tenant: string, site: string) => `${tenant}/${site}`;

/** The parts of such a name; the second is absent if it names a tenant. */
export function splitSiteName(name: string): readonly [tenant: string, site: string | undefined] {
  const at = name.indexOf('/');
  if (at === -1) return [name, undefined];
  return [name.slice(0, at), name.slice(at + 1).toLowerCase()];
}

/** A tenant by its account's name, or by its uid as digits. */
export function findTenant(policy: Policy, name: string): Tenant | undefined {
  const uid = /^\d{1,10}$/.test(name) ? Number(name) : undefined;
  return policy.tenants.find((each) => each.account?.user === name || each.uid === uid);
}
