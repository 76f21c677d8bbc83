/** The Apache sites: each `<VirtualHost>`, or the main server if there is none. */
import { apacheLogging, apacheSiteLogs, type ApacheLogging } from '../access-logs/apache-logs.ts';
import { parseAddress, type Address } from '../address.ts';
import type { Directive } from '../directive.ts';
import { memberOfFile } from '../entries/apache-files.ts';
import { distinctHandlers, type Handler, type ServerSite } from '../site.ts';

export function apacheSites(directives: readonly Directive[]): readonly ServerSite[] {
  const hosts = directives.filter(({ name }) => name === 'virtualhost');
  const shared = directives.filter(({ name }) => name !== 'virtualhost');
  const members = membersOf(directives);
  const inherited = sharedHandlers(shared, members);
  const root = valueOf(shared, 'documentroot');
  const around = { members, handlers: inherited, root, logging: apacheLogging(shared) };
  if (hosts.length > 0) return hosts.map((host) => siteOf(host, around, shared));
  const listen = argsOf(shared, 'listen');
  const place = shared.find(({ name }) => name === 'listen');
  if (place === undefined) return [];
  return [siteOf({ ...place, args: listen, block: shared }, around, [])];
}

type Members = ReadonlyMap<string, readonly Address[]>;

/** Handlers that apply to every vhost, or to vhosts whose root is in a directory. */
interface Shared {
  readonly directory: string;
  readonly handlers: readonly Handler[];
}

/**
 * Returns shared handlers. CGI for the whole server is the administrator's, and handlers for only some URLs do
 * not change a site.
 */
function sharedHandlers(shared: readonly Directive[], members: Members): readonly Shared[] {
  return shared.flatMap((each): readonly Shared[] => {
    if (/^(?:location|locationmatch|directorymatch)$/.test(each.name)) return [];
    const directory = each.name === 'directory' ? (each.args[0] ?? '') : '/';
    const handlers = handlersIn([each], members).filter(({ kind }) => kind !== 'cgi');
    return handlers.length === 0 ? [] : [{ directory: directory.replace(/\/*$/, '/'), handlers }];
  });
}

const inheritedBy = (root: string | undefined, shared: readonly Shared[]): readonly Handler[] =>
  shared.flatMap(({ directory, handlers }) =>
    directory === '/' || root?.startsWith(directory) === true || `${root}/` === directory
      ? handlers
      : [],
  );

/** The main server, as far as it matters to a vhost. */
interface Around {
  readonly members: Members;
  readonly handlers: readonly Shared[];
  readonly root: string | undefined;
  readonly logging: ApacheLogging;
}

function siteOf(
  host: Directive,
  { members, handlers: shared, root: sharedRoot, logging }: Around,
  sharedDirectives: readonly Directive[],
): ServerSite {
  const block = host.block ?? [];
  const root = valueOf(block, 'documentroot') ?? sharedRoot;
  const handlers = handlersIn(block, members);
  const inherited = inheritedBy(root, shared);
  // A vhost's own handlers for PHP files come after the shared ones, and so replace them.
  const hasOwn = handlers.some(
    ({ kind }) => kind === 'fastcgi' || kind === 'module' || kind === 'wrapper',
  );
  const kept = hasOwn ? inherited.filter(({ kind }) => kind === 'proxy') : inherited;
  const runsAs = runsAsOf(block);
  const found = distinctHandlers([...handlers, ...kept]);
  const entriesOf = entriesOwner(block);
  return {
    server: 'apache',
    names: [...argsOf(block, 'servername').slice(0, 1), ...argsOf(block, 'serveralias')],
    listen: host.args,
    ...(root === undefined ? {} : { root }),
    handlers: found.length === 0 ? redirection(block) : found,
    ...(runsAs === undefined ? {} : { runsAs }),
    ...(entriesOf === undefined ? {} : { entriesOf }),
    ...(isOverridable(root, [...sharedDirectives, ...block]) ? { htaccess: true as const } : {}),
    overrides: [],
    logs: apacheSiteLogs(block, logging),
    file: host.file,
    line: host.line,
  };
}

/**
 * Whether an .htaccess below the root may name a handler, according to the innermost `<Directory>` around it.
 */
function isOverridable(root: string | undefined, directives: readonly Directive[]): boolean {
  if (root === undefined) return false;
  const around = directives.flatMap(({ name, args: [path = ''], block = [] }) => {
    const directory = path.replace(/\/*$/, '/');
    const words = valuesOf(block, 'allowoverride');
    const holds = name === 'directory' && `${root}/`.startsWith(directory) && words !== undefined;
    return holds ? [{ length: directory.length, words }] : [];
  });
  const innermost = around.toSorted((a, b) => a.length - b.length).at(-1)?.words ?? [];
  return innermost.some((each) => /^(?:all|fileinfo)$/i.test(each));
}

const valuesOf = (block: readonly Directive[], wanted: string): readonly string[] | undefined =>
  block.findLast(({ name }) => name === wanted)?.args;

/** Returns a handler for a vhost that redirects everybody and so serves no files. */
function redirection(block: readonly Directive[]): readonly Handler[] {
  const isAll = ({ name, args }: Directive) => name === 'redirect' && args.at(-2) === '/';
  return block.some(isAll) ? [{ kind: 'other', text: 'Redirect' }] : [];
}

function entriesOwner(block: readonly Directive[]): ServerSite['entriesOf'] {
  const rule = block.find(
    ({ name, file }) => name === entriesRule && memberOfFile(file) !== undefined,
  );
  return rule === undefined ? undefined : memberOfFile(rule.file);
}

const entriesRule = 'qs_locrequestlimitmatch';

/** Directives that name the user of a vhost's programs, the one that counts before others first. */
const userDirectives = ['AssignUserID', 'RUidGid', 'suPHP_UserGroup', 'SuexecUserGroup'] as const;

function runsAsOf(block: readonly Directive[]): ServerSite['runsAs'] {
  for (const by of userDirectives) {
    const user = valueOf(block, by.toLowerCase());
    if (user !== undefined) return { by, user };
  }
  return undefined;
}

function handlersIn(block: readonly Directive[], members: Members): readonly Handler[] {
  return block.flatMap((each): readonly Handler[] => {
    if (each.block === undefined) return handlersOf(each, members);
    // The content of a `<Proxy>` describes a target, and is not a handler.
    return each.name.startsWith('proxy') ? [] : handlersIn(each.block, members);
  });
}

type Reader = (args: readonly string[], members: Members) => readonly Handler[];

const readers: Readonly<Record<string, Reader>> = {
  sethandler: ([handler = ''], members) => named(handler, members),
  addhandler: ([handler = ''], members) => named(handler, members),
  addtype: typed,
  forcetype: typed,
  // The handler that it names starts a program of the same server.
  action: () => [{ kind: 'cgi', text: 'CGI' }],
  proxypass: (args, members) => passed(args.find(isTarget), members),
  proxypassmatch: (args, members) => passed(args.find(isTarget), members),
  rewriterule: ([, target = '', flags = ''], members) => {
    if (/[[,]\s*(?:P|proxy)\s*[\],]/i.test(flags)) return passed(target, members);
    const handler = /[[,]\s*(?:H|handler)=([^,\]]+)/i.exec(flags)?.[1];
    return handler === undefined ? [] : named(handler.trim(), members);
  },
  fcgidwrapper: () => [{ kind: 'cgi', text: 'mod_fcgid' }],
  scriptalias: () => [{ kind: 'cgi', text: 'CGI' }],
  scriptaliasmatch: () => [{ kind: 'cgi', text: 'CGI' }],
  wsgiscriptalias: () => [{ kind: 'module', text: 'mod_wsgi' }],
};

function handlersOf({ name, args }: Directive, members: Members): readonly Handler[] {
  return Object.hasOwn(readers, name) ? (readers[name]?.(args, members) ?? []) : [];
}

/** The types and handlers of mod_php. cPanel's contain versions: `application/x-httpd-ea-php84`. */
const modPhp = /^(?:application\/x-httpd-(?:ea-|alt-)?php|x-httpd-php|php\d*-script$)/;

/** `x-httpd-suphp` of suPHP, and `application/x-httpd-lsphp` and `application/x-lsphp` of mod_lsapi. */
function wrapperOf(name: string): readonly Handler[] {
  if (/^(?:application\/)?x-(?:httpd-)?suphp$/.test(name))
    return [{ kind: 'wrapper', text: 'suPHP' }];
  return /^(?:application\/x-(?:httpd-)?lsphp\d*|lsapi-script)$/.test(name)
    ? [{ kind: 'wrapper', text: 'mod_lsapi' }]
    : [];
}

function typed([type = '']: readonly string[]): readonly Handler[] {
  return modPhp.test(type) ? [{ kind: 'module', text: 'mod_php' }] : wrapperOf(type);
}

const isTarget = (word: string) => /^(?:unix:|[a-z]+:\/\/)/i.test(word);

function named(handler: string, members: Members): readonly Handler[] {
  if (handler.startsWith('proxy:')) return passed(handler.slice('proxy:'.length), members);
  if (modPhp.test(handler)) return [{ kind: 'module', text: 'mod_php' }];
  if (handler === 'cgi-script') return [{ kind: 'cgi', text: 'CGI' }];
  return handler === 'fcgid-script' ? [{ kind: 'cgi', text: 'mod_fcgid' }] : wrapperOf(handler);
}

const ports: Readonly<Record<string, number>> = {
  http: 80,
  ws: 80,
  https: 443,
  wss: 443,
  fcgi: 8000,
  ajp: 8009,
  scgi: 4000,
};
const url = /^(?:unix:(?<path>[^|]+)\|)?(?<scheme>[a-z0-9]+):(?:\/\/(?<host>[^/?$]*))?/i;

/** `unix:/run/php/shop.sock|fcgi://localhost/`, `http://127.0.0.1:3000/`, `balancer://name`. */
function passed(target: string | undefined, members: Members): readonly Handler[] {
  const parts = target === undefined ? undefined : url.exec(target)?.groups;
  if (target === undefined || parts === undefined) return [];
  const { path, scheme = '', host = '' } = parts;
  const kind = scheme.toLowerCase() === 'fcgi' ? 'fastcgi' : 'proxy';
  if (scheme.toLowerCase() === 'balancer') return balanced(target, host, members);
  const address =
    path === undefined ? parseAddress(host, ports[scheme.toLowerCase()]) : parseAddress(path);
  const text = path === undefined ? `${scheme}://${host}` : path;
  return [{ kind, text, ...(address === undefined ? {} : { address }) }];
}

function balanced(target: string, name: string, members: Members): readonly Handler[] {
  const addresses = members.get(name.toLowerCase()) ?? [];
  if (addresses.length === 0) return [{ kind: 'proxy', text: target }];
  return addresses.map((address) => ({ kind: 'proxy', address, text: target }));
}

/** Finds the members of each `<Proxy balancer://NAME>`, wherever it is written. */
function membersOf(directives: readonly Directive[]): Members {
  const found = new Map<string, readonly Address[]>();
  const visit = (block: readonly Directive[]) => {
    for (const { name, args, block: inside } of block) {
      if (inside === undefined) continue;
      const balancer = /^balancer:\/\/([^/]+)/i.exec(args[0] ?? '')?.[1];
      if (name === 'proxy' && balancer !== undefined)
        found.set(balancer.toLowerCase(), memberAddresses(inside));
      else visit(inside);
    }
  };
  visit(directives);
  return found;
}

const memberAddresses = (block: readonly Directive[]) =>
  block
    .filter(({ name }) => name === 'balancermember')
    .flatMap(({ args }) => passed(args.find(isTarget), new Map()))
    .flatMap((each) => ('address' in each && each.address !== undefined ? [each.address] : []));

const argsOf = (block: readonly Directive[], wanted: string): readonly string[] =>
  block.flatMap(({ name, args }) => (name === wanted ? args : []));

/** Returns the value of the last of these directives, which is the one that counts. */
const valueOf = (block: readonly Directive[], wanted: string): string | undefined =>
  block.findLast(({ name }) => name === wanted)?.args[0];
