/**
 * The site of its tenant that a pool serves, judged by the vhosts that pass requests to its address.
 *
 *     server_name shop.example www.shop.example;  fastcgi_pass unix:/run/php/shop.sock;    →  shop.example
 *
 * A pool is a site's if every such vhost belongs to that site. A pool of several sites, or of a vhost without a site,
 * is the tenant's.
 */
import { addressKey, parseAddress, sameAddress, type Address } from '../../address.ts';
import { siteNameIn, type RankedSites, type ServerSite } from '../../site.ts';

type Vhost = Pick<ServerSite, 'names' | 'handlers'>;

interface Pass {
  readonly address: Address;
  readonly names: readonly string[];
}

export class PoolSites {
  readonly #passes: ReadonlyMap<string, readonly Pass[]>;

  constructor(vhosts: readonly Vhost[]) {
    this.#passes = Map.groupBy(vhosts.flatMap(passesOf), ({ address }) => addressKey(address));
  }

  /** Returns the site, which is among the tenant's `sites`. */
  at(listen: string, sites: RankedSites): string | undefined {
    const address = parseAddress(listen);
    if (address === undefined || sites.every(({ size }) => size === 0)) return undefined;
    const passes = this.#passes.get(addressKey(address)) ?? [];
    const here = passes.filter((each) => sameAddress(each.address, address));
    return onlyOne(here.map(({ names }) => siteNameIn(names, sites)));
  }
}

const passesOf = ({ names, handlers }: Vhost): readonly Pass[] =>
  handlers.flatMap((each) =>
    'address' in each && each.address !== undefined ? [{ address: each.address, names }] : [],
  );

function onlyOne(found: readonly (string | undefined)[]): string | undefined {
  const [first] = found;
  return found.every((each) => each === first) ? first : undefined;
}
