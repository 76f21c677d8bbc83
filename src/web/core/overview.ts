/** Everything that was read, put together: each site with its owner, what handles it, and how that is placed. */
import type { ReadProblem } from './directive.ts';
import type { AccountFacts } from './facts.ts';
import { ownershipOf, type OwnerAnswer } from './owner.ts';
import { panelsOf, type Panel } from './panel.ts';
import { placedOf, type Placed } from './placement.ts';
import { poolFindings, PoolIndex, type Pool, type PoolFinding } from './fpm/pools.ts';
import type { Handler, ServerSite } from './site.ts';

export interface ServerRead {
  /** `nginx`, `apache2`, `php-fpm8.4`. */
  readonly name: string;
  /** The path of the program. */
  readonly program: string;
  /** The parts of its configuration that could not be read. */
  readonly problems: readonly ReadProblem[];
}

export interface SiteView extends ServerSite {
  /** The tenant that owns the site. */
  readonly owner: OwnerAnswer | undefined;
  /** All answers that name a tenant, the one that counts first. */
  readonly owners: readonly OwnerAnswer[];
  /** Descriptions of the handlers, each with its pool if there is one. */
  readonly handledBy: readonly string[];
  /** Whether its programs run in the tenant's cgroup. */
  readonly placed: Placed;
  /** Problems of the site, for people. */
  readonly findings: readonly string[];
}

export interface Overview {
  /** The web servers, and PHP-FPM. */
  readonly servers: readonly ServerRead[];
  /** The sites. */
  readonly sites: readonly SiteView[];
  /** The PHP-FPM pools. */
  readonly pools: readonly Pool[];
  /** Problems of pools. */
  readonly poolFindings: readonly PoolFinding[];
  /** The hosting panels that made the configuration. */
  readonly panels: readonly Panel[];
}

export function overviewOf(
  servers: readonly ServerRead[],
  sites: readonly ServerSite[],
  pools: readonly Pool[],
  facts: AccountFacts,
): Overview {
  const index = new PoolIndex(pools);
  const behind = new ApacheIndex(sites);
  const views = new Map<ServerSite, SiteView>();
  const viewOf = (site: ServerSite): SiteView => {
    const known = views.get(site);
    if (known !== undefined) return known;
    const view = siteView(site, index, behind, facts, viewOf);
    views.set(site, view);
    return view;
  };
  return {
    servers,
    sites: sites.map(viewOf),
    pools,
    poolFindings: poolFindings(pools, facts),
    panels: panelsOf(sites, pools),
  };
}

function siteView(
  site: ServerSite,
  pools: PoolIndex,
  behind: ApacheIndex,
  facts: AccountFacts,
  viewOf: (site: ServerSite) => SiteView,
): SiteView {
  const { owner, owners, findings } = ownershipOf(site, pools, facts);
  const apache = behind.of(site);
  if (apache === undefined) {
    const placed = placedOf(site, owner, pools, facts);
    const handledBy = handlersText(site.handlers, pools);
    return { ...site, owner, owners, handledBy, placed, findings };
  }
  // The programs that run for it are the other site's.
  const view = viewOf(apache);
  const handledBy = view.handledBy.map((each) => `Apache, ${each}`);
  return { ...site, owner: view.owner ?? owner, owners, handledBy, placed: view.placed, findings };
}

function handlersText(handlers: readonly Handler[], pools: PoolIndex): readonly string[] {
  if (handlers.length === 0) return ['static'];
  return handlers.map((each) => {
    const pool =
      'address' in each && each.address !== undefined ? pools.at(each.address) : undefined;
    if (pool !== undefined) return `FPM ${pool.php} ${pool.name}`;
    if (each.kind === 'proxy') return `proxy ${each.text}`;
    return each.kind === 'fastcgi' ? `FastCGI ${each.text}` : each.text;
  });
}

/** The Apache sites to which nginx sites pass their requests: the same name, at that port. */
class ApacheIndex {
  readonly #sites = new Map<string, ServerSite>();

  constructor(sites: readonly ServerSite[]) {
    for (const site of sites) {
      if (site.server !== 'apache') continue;
      for (const port of site.listen.map(portOf))
        for (const name of site.names) this.#add(`${port} ${name.toLowerCase()}`, site);
    }
  }

  #add(key: string, site: ServerSite): void {
    // Apache takes the first of two vhosts with the same name.
    if (!this.#sites.has(key)) this.#sites.set(key, site);
  }

  of({ server, handlers, names }: ServerSite): ServerSite | undefined {
    if (server !== 'nginx') return undefined;
    for (const handler of handlers) {
      if (handler.kind !== 'proxy' || handler.address?.kind !== 'tcp') continue;
      for (const name of names) {
        const found = this.#sites.get(`${handler.address.port} ${name.toLowerCase()}`);
        if (found !== undefined) return found;
      }
    }
    return undefined;
  }
}

/** `10.0.0.1:8080`, `[::1]:8080`, `*:80`. */
const portOf = (listen: string) => /:(\d{1,5})$/.exec(listen)?.[1] ?? '80';
