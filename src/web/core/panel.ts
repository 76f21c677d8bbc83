/**
 * Recognises the hosting panel that made a configuration, by the paths that it uses.
 *
 *     HestiaCP     vhosts in /home/USER/conf/web/DOMAIN/, sockets php8.4-fpm-DOMAIN.sock, a pool a domain
 *     ISPConfig    roots in /var/www/clients/client3/web7/, pools web7 of group client3: a uid a site
 *     Virtualmin   pools named by a long number, sockets /run/php/NUMBER.sock
 */
import type { ConfigLine } from './directive.ts';
import type { Pool } from './fpm/pools.ts';
import type { ServerSite } from './site.ts';

type PanelName = 'HestiaCP' | 'ISPConfig' | 'Virtualmin';

export interface Panel {
  /** The panel. */
  readonly name: PanelName;
  /** Customers whose sites run as several uids, so that each has limits of its own. */
  readonly customers: readonly Customer[];
}

interface Customer {
  /** The customer's name in the panel. */
  readonly name: string;
  /** The accounts of the customer's sites. */
  readonly users: readonly string[];
}

export function panelsOf(sites: readonly ServerSite[], pools: readonly Pool[]): readonly Panel[] {
  const found: Panel[] = [];
  if (sites.some(isHestia)) found.push({ name: 'HestiaCP', customers: [] });
  const clients = clientsOf(sites, pools);
  if (clients !== undefined) found.push({ name: 'ISPConfig', customers: clients });
  if (pools.some(isVirtualmin)) found.push({ name: 'Virtualmin', customers: [] });
  return found;
}

/** A vhost of HestiaCP. nginx and Apache report a link in /etc under its own name. */
const hestiaVhost =
  /^(?:\/home\/[^/]+\/conf\/web\/[^/]+\/|\/etc\/(?:nginx|apache2)\/conf\.d\/domains\/)/;

const isHestia = ({ file }: ConfigLine) => hestiaVhost.test(file);

const isVirtualmin = ({ name, listen }: Pool) =>
  /^\d{12,20}$/.test(name) &&
  (/^127\.0\.0\.1:\d+$|^\d+$/.test(listen) ||
    /\/(?:run\/php|php-fpm)\/\d{12,20}\.sock$/.test(listen));

const clientRoot = /^\/var\/www\/clients\/(client\d{1,9})\/(web\d{1,9})(?:\/|$)/;

function clientsOf(
  sites: readonly ServerSite[],
  pools: readonly Pool[],
): readonly Customer[] | undefined {
  const users = new Map<string, Set<string>>();
  const add = (client: string, user: string) =>
    users.set(client, (users.get(client) ?? new Set()).add(user));
  for (const { root = '' } of sites) {
    const match = clientRoot.exec(root);
    if (match !== null) add(match[1] ?? '', match[2] ?? '');
  }
  for (const { user, group = '' } of pools)
    if (/^client\d{1,9}$/.test(group) && /^web\d{1,9}$/.test(user)) add(group, user);
  if (users.size === 0) return undefined;
  return [...users].flatMap(([name, of]) => (of.size > 1 ? [{ name, users: [...of].sort() }] : []));
}
