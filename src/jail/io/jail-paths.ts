/**
 * The paths of an instance's jails.
 *
 *     /run/bulkhead/jail                  mounted on itself, private: only there can a namespace be pinned
 *       vault                             pin of the namespace in which all others are pinned
 *       below                             another name of the file under the pin: the same file means no pin
 *       processor                         the number of the processor on which the vault was made
 *       unmounted                           sockets of database servers that could not be mounted
 *       tenants/1001                      the state file, which the launcher reads; a site's is 1001-shop.example
 *       in/                               in the vault a file system of its own, empty elsewhere:
 *         root/web, mnt/web, etc, dev     the skeleton; web-site for sites
 *         tenant/1001, base/1001          a tenant's own files, and a directory above the home
 *         locks/1001                      locked while its configuration of PHP-FPM is copied
 *         ns/1001 -> 1001-GENERATION      ns/1001-GENERATION, ipc/1001: pins
 *     /var/lib/bulkhead/jail-places       directories with tenants' /tmp, one a line
 */
import { jailSocketDirectory, type Paths } from '../../host/paths.ts';

export interface JailPaths {
  readonly base: string;
  readonly vault: string;
  readonly below: string;
  readonly processor: string;
  /** Sockets of database servers that could not be mounted; absent if there are none. */
  readonly unmounted: string;
  readonly tenants: string;
  readonly inside: string;
  /** The directory with the broker's socket for tenants. */
  readonly broker: string;
  /** The directory with the socket for sites, for which the broker does less. */
  readonly siteBroker: string;
  /** The directory with the agent's socket for tenants' jails. */
  readonly agent: string;
  /** The directory with the sockets of tenants' own database servers. */
  readonly ownDatabases: string;
  /** Locks of the broker, and copies of programs that it runs. */
  readonly slots: string;
  /** Counts of mail, a file for each tenant. */
  readonly mail: string;
  readonly programs: string;
  readonly lock: string;
  readonly places: string;
  /** Tenants' /tmp, if the home is on the same file system. */
  readonly temporary: string;
  /** The name of the directory for them on another file system. */
  readonly temporaryName: string;
}

export function jailPathsOf(paths: Paths): JailPaths {
  const { runtime, state, instance } = paths;
  const base = `${runtime}/jail`;
  return {
    base,
    vault: `${base}/vault`,
    below: `${base}/below`,
    processor: `${base}/processor`,
    unmounted: `${base}/unmounted`,
    tenants: `${base}/tenants`,
    inside: `${base}/in`,
    broker: `${runtime}/broker`,
    siteBroker: `${runtime}/broker-sites`,
    agent: jailSocketDirectory(paths),
    ownDatabases: `${runtime}/databases`,
    slots: `${runtime}/broker-slots`,
    mail: `${runtime}/broker-mail`,
    programs: `${state}/broker`,
    lock: `${base}/lock`,
    places: `${state}/jail-places`,
    temporary: `${state}/jail-tmp`,
    temporaryName: `.${instance}`,
  };
}
