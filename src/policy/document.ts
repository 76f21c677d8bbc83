/** The policy as written: every value with its position. Nothing is inherited here yet. */
import type { LimitKey } from '../limits/limit.ts';
import type { TrustLevel } from '../../packages/modules/core/evidence/trust-level.ts';
import type { Quantity } from '../../packages/base/quantity.ts';
import type { Diagnostics, Located, Span } from './diagnostic.ts';
import type { AppElement, OwnAppsElement } from './apps/app.ts';
import type { JailElement } from './jail.ts';
import type { ConsoleSettings } from './elements/console-settings.ts';
import type { FleetElement } from './fleet/fleet-settings.ts';
import type { Merged } from './fleet/merged.ts';
import type { DatabasesElement } from './databases/databases-element.ts';
import type { DatabaseCounts } from '../limits/database.ts';
import type { DatabaseInstance } from './databases/own-database.ts';
import type { PanelElement } from './panel/panel-element.ts';
import type { ListenElement, ReachElement } from './network/reach.ts';
import type { AgentSettings } from './settings.ts';
import type { XmlElement } from './xml.ts';

/** The limits written in one element. A value's `span` covers the attribute's value. */
export interface LimitBlock {
  readonly values: ReadonlyMap<LimitKey, Located<Quantity>>;
}

export interface UidRange {
  readonly first: number;
  readonly last: number;
}

/** `<tenants uids="1000-59999" except="deploy backup" package="starter"/>` */
export interface TenantsElement extends Span {
  readonly uids: readonly Located<UidRange>[];
  /** User names, or uids. */
  readonly except: readonly Located<string>[];
  readonly package: Located<string> | undefined;
}

/** An account by name, or a uid that needs no account. */
export type TenantName =
  | { readonly kind: 'user'; readonly user: string }
  | { readonly kind: 'uid'; readonly uid: number };

/** The parts of an element that tenants inherit. */
export interface InheritedBlock extends LimitBlock {
  readonly jail?: JailElement | undefined;
  /** The hosts and services that a tenant reaches. */
  readonly reach?: ReachElement | undefined;
  /** The ports that a tenant may open. */
  readonly listen?: ListenElement | undefined;
  /** The accounts that may set limits of sites, besides the policy. */
  readonly siteLimits?: SiteLimitSetters | undefined;
  /** How many applications a tenant may define itself. */
  readonly ownApps?: OwnAppsElement | undefined;
  /** Whether a tenant has a database server of its own. */
  readonly databaseInstance?: Located<DatabaseInstance> | undefined;
  /** Whether the CPU time of database servers counts toward its CPU limit. */
  readonly databaseCounts?: Located<DatabaseCounts> | undefined;
}

/** `<site name="shop.example"><cpu limit="50%"/></site>` */
export interface SiteElement extends Span, LimitBlock {
  readonly name: Located<string>;
  /** The site's jail, which has a home. */
  readonly jail?: JailElement;
  readonly apps?: readonly AppElement[];
}

export interface TenantElement extends Span, InheritedBlock {
  readonly name: Located<TenantName>;
  readonly package: Located<string> | undefined;
  readonly sites: readonly SiteElement[];
  /** Applications outside sites. */
  readonly apps?: readonly AppElement[];
  readonly xml: XmlElement;
}

export interface PackageElement extends Span, InheritedBlock {
  readonly name: Located<string>;
  /** The resellers that may give it, by name or uid; absent if it does not say. */
  readonly for?: readonly Located<string>[];
  readonly xml: XmlElement;
}

export interface ResellerElement extends Span, LimitBlock {
  readonly name: Located<TenantName>;
  readonly package: Located<string> | undefined;
  readonly tenants: readonly TenantElement[];
  /** The changes that it may make; absent if it may make none. */
  readonly may?: Located<readonly PolicyRight[]>;
  readonly xml: XmlElement;
}

interface DefaultsElement extends Span, InheritedBlock {
  readonly xml: XmlElement;
}

export type DriverName = 'cgroup1' | 'cgroup2' | 'systemd';
export const driverNames: readonly DriverName[] = ['cgroup1', 'cgroup2', 'systemd'];

/** Whether the kernel enforces the limits, or the agent only reports what would have hit them. */
export const limitModes = ['enforce', 'observe'] as const;
export type LimitMode = (typeof limitModes)[number];

/**
 * The setters of site limits besides the administrator, who writes the policy. An earlier one's limits take precedence.
 */
export const siteLimitSetters = ['reseller', 'tenant'] as const;
export type SiteLimitSetter = (typeof siteLimitSetters)[number];
export type SiteLimitSetters = readonly SiteLimitSetter[];

/** The changes that a reseller may make to the elements of its tenants. */
export const policyRights = ['limits', 'packages'] as const;
export type PolicyRight = (typeof policyRights)[number];

export interface PolicyDocument {
  readonly file: string;
  readonly text: string;
  /** Present if the text was merged from the file and a fleet's policy. */
  readonly merged?: Merged;
  readonly root: XmlElement;
  readonly tenantRanges: readonly TenantsElement[];
  readonly defaults: DefaultsElement | undefined;
  readonly packages: readonly PackageElement[];
  readonly resellers: readonly ResellerElement[];
  /** Tenants outside resellers. */
  readonly tenants: readonly TenantElement[];
  readonly driver: Located<DriverName> | undefined;
  readonly limitMode: Located<LimitMode> | undefined;
  readonly agent: AgentSettings | undefined;
  readonly console?: ConsoleSettings | undefined;
  readonly panel?: PanelElement | undefined;
  readonly databases?: DatabasesElement | undefined;
  /** The fleet to which the host belongs. */
  readonly fleet?: FleetElement | undefined;
  readonly symlinks: SymlinksElement | undefined;
  readonly modules: ModulesElement | undefined;
  /** The action for processes that get a tenant's uid outside its cgroup. */
  readonly strictPlacement?: StrictMode;
  /** Errors and warnings; a document with errors must not be applied. */
  readonly diagnostics: Diagnostics;
}

/** The kernel's action: refuse, or only report; absent: neither. */
export type StrictMode = 'on' | 'watch';

/** `<symlinks follow="owner-match" by="www-data nginx" trust="root"/>` */
export interface SymlinksElement extends Span {
  readonly follow: Located<string>;
  readonly rule: SymlinkRule;
}

/** The names of accounts and groups, as they are written. */
export interface SymlinkRule {
  /** Users and groups that follow a link only if its owner owns what it resolves to. */
  readonly by: readonly string[];
  /** Users whose links are always followed. */
  readonly trust: readonly string[];
  /** Users to whose files links are always followed. */
  readonly targets: readonly string[];
}

export interface ModulesElement extends Span {
  readonly require: Located<TrustLevel> | undefined;
  /** The action for modules that the kernel would load for a tenant. */
  readonly autoload?: StrictMode;
  readonly deny: readonly { readonly name: Located<string>; readonly reason: string | undefined }[];
}
