/**
 * The virtual hosts of LiteSpeed: those that its main file registers, and those of templates. Each has settings in the
 * main file, and others in a file of its own.
 *
 *     virtualHost shop {                             vhTemplate php {
 *       vhRoot      /home/shop                         templateFile $SERVER_ROOT/conf/templates/php.conf
 *       configFile  $VH_ROOT/conf/vhconf.conf          member shop { vhDomain shop.example }
 *       setUIDMode  2                                }
 *     }
 */
import { childrenNamed, listIn, valueOf, type LiteSpeedNode } from './node.ts';

/** Facts that only the host knows. */
export interface LiteSpeedFiles {
  /** Returns the parsed file of a virtual host or a template; nothing if it cannot be used. */
  readonly read: (path: string) => LiteSpeedNode | undefined;
  /** Returns the owner of a directory, if it is there. */
  readonly ownerOf: (path: string) => number | undefined;
}

export interface VirtualHost {
  readonly name: string;
  /** The settings in the main file, or the template's. */
  readonly registered: LiteSpeedNode;
  /** The settings in its own file. */
  readonly config: LiteSpeedNode;
  /** The place where it is registered. */
  readonly node: LiteSpeedNode;
  readonly docRoot: string;
  /** The names that it has itself; listeners can give it more. */
  readonly names: readonly string[];
  /** The names of listeners to which it assigns itself. */
  readonly listeners: readonly string[];
  /** Replaces variables in a text of its configuration. */
  readonly expand: (text: string) => string;
}

/** The limit for virtual hosts; more would be no configuration that anybody serves. */
const hostsMax = 50_000;

export function virtualHosts(
  server: LiteSpeedNode,
  serverRoot: string,
  files: LiteSpeedFiles,
): readonly VirtualHost[] {
  const own = childrenNamed(server, 'virtualhost').map((node) => {
    const { expand } = variables(serverRoot, node.value, valueOf(node, 'vhroot'));
    const file = valueOf(node, 'configfile');
    const config = file === undefined ? undefined : files.read(pathIn(serverRoot, expand(file)));
    return hostOf({ node, registered: node, config: config ?? node, serverRoot });
  });
  const made = childrenNamed(server, 'vhtemplate').flatMap((node) =>
    hostsOfTemplate(node, serverRoot, files),
  );
  return [...own, ...made].slice(0, hostsMax);
}

function hostsOfTemplate(
  node: LiteSpeedNode,
  serverRoot: string,
  files: LiteSpeedFiles,
): readonly VirtualHost[] {
  const file = valueOf(node, 'templatefile');
  const members = childrenNamed(node, 'member');
  if (file === undefined || members.length === 0) return [];
  const path = pathIn(serverRoot, variables(serverRoot, '', undefined).expand(file));
  const template = files.read(path);
  const [config] = template === undefined ? [] : childrenNamed(template, 'virtualhostconfig');
  if (template === undefined || config === undefined) return [];
  const listeners = listIn(valueOf(node, 'listeners') ?? '');
  return members.map((member) => ({
    ...hostOf({ node: member, registered: template, config, serverRoot }),
    listeners,
  }));
}

interface Parts {
  readonly node: LiteSpeedNode;
  readonly registered: LiteSpeedNode;
  readonly config: LiteSpeedNode;
  readonly serverRoot: string;
}

function hostOf({ node, registered, config, serverRoot }: Parts): VirtualHost {
  const name = node.value === '' ? (valueOf(node, 'vhname') ?? '') : node.value;
  const root = valueOf(node, 'vhroot') ?? valueOf(registered, 'vhroot');
  const { vhRoot, expand } = variables(serverRoot, name, root);
  const docRoot = pathIn(vhRoot, expand(valueOf(config, 'docroot') ?? '$VH_ROOT/html'));
  const domains = [node, config].flatMap((each) => [
    ...listIn(valueOf(each, 'vhdomain') ?? ''),
    ...listIn(valueOf(each, 'vhaliases') ?? ''),
  ]);
  return {
    name,
    registered,
    config,
    node,
    docRoot,
    names: domains.map(expand),
    listeners: listIn(valueOf(node, 'listeners') ?? ''),
    expand,
  };
}

/** The variables of a virtual host. They are found in any case. */
function variables(serverRoot: string, name: string, root: string | undefined) {
  const early: Readonly<Record<string, string>> = { server_root: serverRoot, vh_name: name };
  const vhRoot = pathIn(serverRoot, replaceIn(root ?? '', early));
  const all = { ...early, vh_root: vhRoot };
  return { vhRoot, expand: (text: string) => replaceIn(text, all) };
}

const replaceIn = (text: string, values: Readonly<Record<string, string>>): string =>
  text.replaceAll(
    /\$(SERVER_ROOT|VH_ROOT|VH_NAME)/gi,
    (whole, name: string) => values[name.toLowerCase()] ?? whole,
  );

/** Returns an absolute path, without slashes that mean nothing. */
export const pathIn = (base: string, path: string): string =>
  (path.startsWith('/') ? path : `${base}/${path}`)
    .replaceAll(/\/{2,}/g, '/')
    .replace(/(.)\/$/, '$1');
