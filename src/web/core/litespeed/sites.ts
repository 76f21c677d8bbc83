/** The virtual hosts of LiteSpeed as sites. */
import type { LiteSpeedDetails, ServerSite } from '../site.ts';
import { distinctHandlers } from '../site.ts';
import { childrenNamed, listIn, numberOf, valueOf, type LiteSpeedNode } from './node.ts';
import { programsOf } from './programs.ts';
import { virtualHosts, type LiteSpeedFiles, type VirtualHost } from './virtual-hosts.ts';

export function liteSpeedSites(
  server: LiteSpeedNode,
  serverRoot: string,
  files: LiteSpeedFiles,
): readonly ServerSite[] {
  const served = listening(server);
  return virtualHosts(server, serverRoot, files)
    .filter(({ registered }) => numberOf(registered, 'enabled') !== 0)
    .map((host) => siteOf(server, host, served, files));
}

function siteOf(
  server: LiteSpeedNode,
  host: VirtualHost,
  served: Served,
  files: LiteSpeedFiles,
): ServerSite {
  const { name, node, docRoot, config } = host;
  const maps = served.maps.get(name) ?? [];
  const { handlers, started } = programsOf(server, host, files);
  const listeners = [...maps.map(({ listener }) => listener), ...host.listeners];
  const names = [...maps.flatMap((each) => each.names), ...host.names];
  const details: LiteSpeedDetails = {
    container: containerOf(server, config),
    // Versions disagree on 1: programs of a virtual host are then in cgroups of LiteSpeed's, or can be.
    cgroups: (settingOf(server, 'cgroups') ?? 0) !== 0,
    programs: started,
  };
  return {
    server: 'litespeed',
    names: [...new Set(names.filter((each) => each !== '*'))],
    listen: [...new Set(listeners.flatMap((each) => served.addresses.get(each) ?? []))],
    root: docRoot,
    handlers: distinctHandlers(handlers),
    overrides: [],
    liteSpeed: details,
    file: node.file,
    line: node.line,
  };
}

/**
 * Returns LiteSpeed's own container for programs: 0 rules it out, 1 leaves it to the virtual host, 2 is the default for
 * all. A virtual host has 1 for no, and 2 for yes.
 */
function containerOf(server: LiteSpeedNode, config: LiteSpeedNode): LiteSpeedDetails['container'] {
  const isOn = (name: string) => {
    const ofServer = settingOf(server, name) ?? 0;
    return ofServer !== 0 && (numberOf(config, name) ?? ofServer) === 2;
  };
  if (isOn('bubblewrap')) return 'bubblewrap';
  return isOn('namespace') ? 'namespace' : 'none';
}

/** Settings of the server that versions have at the top or among the limits of CGI. */
const settingOf = (server: LiteSpeedNode, name: string): number | undefined =>
  numberOf(server, name) ?? numberOf(childrenNamed(server, 'cgirlimit').at(-1), name);

interface Served {
  /** The addresses of each listener. */
  readonly addresses: ReadonlyMap<string, string>;
  /** The listeners of each virtual host, with the names that they give it. */
  readonly maps: ReadonlyMap<string, readonly Mapped[]>;
}

interface Mapped {
  readonly listener: string;
  readonly names: readonly string[];
}

/** `map shop shop.example, www.shop.example` in plain text, `<vhostMap>` in XML. */
function listening(server: LiteSpeedNode): Served {
  const listeners = childrenNamed(server, 'listener');
  const maps = new Map<string, Mapped[]>();
  const add = (listener: string, vhost: string, names: readonly string[]) => {
    const known = maps.get(vhost) ?? [];
    maps.set(vhost, known);
    known.push({ listener, names });
  };
  for (const each of listeners) {
    for (const { value } of childrenNamed(each, 'map')) {
      const [vhost = '', ...names] = listIn(value);
      add(each.value, vhost, names);
    }
    for (const map of childrenNamed(each, 'vhostmap'))
      add(each.value, valueOf(map, 'vhost') ?? '', listIn(valueOf(map, 'domain') ?? ''));
  }
  const addresses = listeners.map((each) => [each.value, valueOf(each, 'address') ?? ''] as const);
  return { addresses: new Map(addresses), maps };
}
