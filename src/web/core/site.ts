/**
 * A site: all that a web server serves under one set of names. It is one `server` of nginx, one `<VirtualHost>` of
 * Apache, or one virtual host of LiteSpeed.
 */
import type { SiteLogs } from './access-logs/site-logs.ts';
import { formatAddress, type Address } from './address.ts';
import type { ConfigLine } from './directive.ts';
import { siteLimitSetters } from '../../policy/document.ts';
import type { Site as PolicySite } from '../../policy/policy.ts';
import type { Member } from '../../usage/member.ts';
import type { NginxVhost } from './nginx/vhost.ts';

export type ServerName = 'nginx' | 'apache' | 'litespeed';

export type Handler =
  /** `address` is absent if a variable names it. */
  | { readonly kind: 'fastcgi' | 'proxy'; readonly address?: Address; readonly text: string }
  /** A program that the server starts, by suEXEC if there is one: CGI, mod_fcgid. */
  | { readonly kind: 'cgi'; readonly text: string }
  /** A program that a setuid program of the handler's own starts: suPHP, mod_lsapi. */
  | { readonly kind: 'wrapper'; readonly text: string }
  /** A program that LiteSpeed starts as that account: lsphp. */
  | { readonly kind: 'external'; readonly text: string; readonly user: string }
  /** Code in the web server's own processes, such as mod_php. */
  | { readonly kind: 'module'; readonly text: string }
  /** Answered without a program, and without files: a redirection. */
  | { readonly kind: 'other'; readonly text: string };

/** A directive of the vhost that replaces what is inherited from the http level. */
export interface OverridingDirective extends ConfigLine {
  /** The directive's name. */
  readonly directive: 'limit_conn' | 'access_log' | 'add_header';
}

export interface ServerSite extends ConfigLine {
  /** The web server. */
  readonly server: ServerName;
  /** The host names of the site. */
  readonly names: readonly string[];
  /** The addresses at which it listens. */
  readonly listen: readonly string[];
  /** The document root; absent if none is set. */
  readonly root?: string;
  /** The handlers that run something. If there are none, the server sends files. */
  readonly handlers: readonly Handler[];
  /** The user of the site's programs, if an Apache directive names one. */
  readonly runsAs?: {
    readonly by: 'SuexecUserGroup' | 'AssignUserID' | 'RUidGid' | 'suPHP_UserGroup';
    readonly user: string;
  };
  /** Directives that replace what is inherited. */
  readonly overrides: readonly OverridingDirective[];
  /** The tenant, or one of its sites, whose file with an entries limit the Apache vhost includes. */
  readonly entriesOf?: Member;
  /** Whether an .htaccess of Apache may have programs run for it. */
  readonly htaccess?: true;
  /** The access logs that its requests are in; absent if the server's are not read. */
  readonly logs?: SiteLogs;
  /** Details of an nginx `server`. */
  readonly vhost?: NginxVhost;
  /** Details of a virtual host of LiteSpeed. */
  readonly liteSpeed?: LiteSpeedDetails;
}

export interface LiteSpeedDetails {
  /** LiteSpeed's own container in which it starts programs. */
  readonly container: 'none' | 'bubblewrap' | 'namespace';
  /** Whether LiteSpeed may put them into cgroups of its own. */
  readonly cgroups: boolean;
  /** The programs that it starts. */
  readonly programs: readonly LiteSpeedProgram[];
}

/** A program that LiteSpeed starts, and the place of its `extProcessor`. */
export interface LiteSpeedProgram extends ConfigLine {
  /** The name of the `extProcessor`. */
  readonly name: string;
  /** The number of requests that it gets at once; absent if the configuration has none. */
  readonly requests?: number;
}

/** Returns the tenant's site that a vhost belongs to: the first of its names that is one. */
export const siteNameOf = (
  names: readonly string[],
  sites: Pick<ReadonlySet<string>, 'has'>,
): string | undefined => names.map((each) => each.toLowerCase()).find((each) => sites.has(each));

/**
 * The sites of a tenant, by priority for a vhost with the names of several. Sites in the policy come first, then sites
 * that exist because the reseller set a limit, then those by the tenant. So nobody can take a vhost from a site with
 * limits set by somebody of higher rank.
 */
export type RankedSites = readonly ReadonlySet<string>[];

export const rankedSites = (sites: readonly Pick<PolicySite, 'name' | 'madeBy'>[]): RankedSites =>
  [undefined, ...siteLimitSetters].map(
    (setter) => new Set(sites.flatMap(({ name, madeBy }) => (madeBy === setter ? [name] : []))),
  );

export function siteNameIn(names: readonly string[], ranked: RankedSites): string | undefined {
  for (const sites of ranked) {
    const found = siteNameOf(names, sites);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Returns each handler once, in the order in which they were found. */
export function distinctHandlers(handlers: readonly Handler[]): readonly Handler[] {
  const seen = new Set<string>();
  return handlers.filter((each) => {
    const address =
      'address' in each && each.address !== undefined ? formatAddress(each.address) : '';
    const user = each.kind === 'external' ? each.user : '';
    const key = `${each.kind} ${each.text} ${address} ${user}`;
    if (seen.has(key)) return false;
    seen.add(key);
    return true;
  });
}
