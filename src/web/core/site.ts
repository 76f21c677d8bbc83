/** What a web server serves under one set of names: one `server` of nginx, one `<VirtualHost>` of Apache. */
import { printAddress, type Address } from './address.ts';
import type { Place } from './directive.ts';
import { siteLimitSetters } from '../../policy/document.ts';
import type { Site as PolicySite } from '../../policy/policy.ts';
import type { Member } from '../../usage/member.ts';
import type { NginxVhost } from './nginx/vhost.ts';

export type ServerName = 'nginx' | 'apache';

export type Handler =
  /** `address` is absent where a variable names it. */
  | { readonly kind: 'fastcgi' | 'proxy'; readonly address?: Address; readonly text: string }
  /** A program a request, as suEXEC starts it. */
  | { readonly kind: 'cgi'; readonly text: string }
  /** Code in the web server's own processes, such as mod_php. */
  | { readonly kind: 'module'; readonly text: string }
  /** Answered without a program, and without files: a redirection. */
  | { readonly kind: 'other'; readonly text: string };

/** A directive of the vhost that replaces what is inherited from the http level. */
export interface OverridingDirective extends Place {
  readonly directive: 'limit_conn' | 'access_log' | 'add_header';
}

export interface Site extends Place {
  readonly server: ServerName;
  readonly names: readonly string[];
  readonly listen: readonly string[];
  readonly root?: string;
  /** What runs for it; where there is nothing, files are served. */
  readonly handlers: readonly Handler[];
  /** As whom programs of the site run, where a directive of Apache names somebody. */
  readonly runsAs?: { readonly by: 'SuexecUserGroup' | 'AssignUserID'; readonly user: string };
  readonly overrides: readonly OverridingDirective[];
  /** The tenant, or the site of one, whose file with a limit on entries a vhost of Apache includes. */
  readonly entriesOf?: Member;
  /** Whether an .htaccess of Apache may have programs run for it. */
  readonly htaccess?: true;
  /** Of a `server` of nginx. */
  readonly vhost?: NginxVhost;
}

/** The site that a vhost is, among those of its tenant: that of the first of its names that is one. */
export const siteNameOf = (
  names: readonly string[],
  sites: Pick<ReadonlySet<string>, 'has'>,
): string | undefined => names.map((each) => each.toLowerCase()).find((each) => sites.has(each));

/**
 * The sites of a tenant in the order in which they count for a vhost with the names of several: those of the policy first,
 * then those that are sites since its reseller has set a limit, or it has itself. So nobody takes a vhost from a site
 * with limits of who counts before.
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

/** Each once, in the order in which they were found. */
export function distinctHandlers(handlers: readonly Handler[]): readonly Handler[] {
  const seen = new Set<string>();
  return handlers.filter((each) => {
    const address =
      'address' in each && each.address !== undefined ? printAddress(each.address) : '';
    const key = `${each.kind} ${each.text} ${address}`;
    if (seen.has(key)) return false;
    seen.add(key);
    return true;
  });
}
