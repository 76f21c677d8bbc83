/** The nginx sites: each `server` of `http`. Source: ngx_http_core_module, ngx_http_fastcgi_module and others. */
import { nginxLogging, nginxSiteLogs, type NginxLogging } from '../access-logs/nginx-logs.ts';
import { parseAddress, type Address } from '../address.ts';
import type { Directive, ReadProblem } from '../directive.ts';
import {
  distinctHandlers,
  type Handler,
  type OverridingDirective,
  type ServerSite,
} from '../site.ts';
import type { DumpedFile } from './dump.ts';
import { nginxTree } from './includes.ts';
import { errorPages } from './location.ts';
import { isOwnDirective } from './own-words.ts';
import { isPass, passes } from './passes.ts';
import { vhostOf } from './vhost.ts';

interface ReadSites {
  readonly sites: readonly ServerSite[];
  /** All directives but the servers of `http`. */
  readonly directives: readonly Directive[];
  readonly problems: readonly ReadProblem[];
}

/**
 * Reads the files twice: what a server inherits can come after it. So the directives of all servers together, which
 * need far more memory than the sites, are never there at once.
 */
export function nginxSites(files: readonly DumpedFile[]): ReadSites {
  const around = nginxTree(files, () => {});
  const inherited = inheritedOf(around.directives);
  const sites: ServerSite[] = [];
  nginxTree(files, (server) => sites.push(siteOf(server, inherited)));
  return { ...around, sites };
}

type Upstreams = ReadonlyMap<string, readonly Address[]>;

/** The http level, as far as it matters to a server. */
interface Inherited {
  readonly upstreams: Upstreams;
  readonly root: string | undefined;
  readonly errors: readonly Directive[];
  readonly logging: NginxLogging;
}

function inheritedOf(directives: readonly Directive[]): Inherited {
  const http = directives.flatMap(({ name, block = [] }) => (name === 'http' ? block : []));
  return {
    upstreams: upstreamsOf(http),
    root: valueOf(http, 'root'),
    errors: errorPages(http),
    logging: nginxLogging(http),
  };
}

function siteOf(server: Directive, around: Inherited): ServerSite {
  const { upstreams, root: inherited, errors, logging } = around;
  const block = server.block ?? [];
  const root = valueOf(block, 'root') ?? rootOfLocations(block) ?? inherited;
  const { handlers, overrides } = walk(block, upstreams, 'server');
  const found = distinctHandlers(handlers);
  return {
    server: 'nginx',
    names: argsOf(block, 'server_name').filter((each) => each !== ''),
    listen: listenOf(block),
    ...(root === undefined ? {} : { root }),
    handlers: found.length === 0 ? answersOf(block) : found,
    overrides: overrides.toSorted((a, b) => a.line - b.line),
    vhost: vhostOf(server, errors),
    logs: nginxSiteLogs(block, logging),
    file: server.file,
    line: server.line,
  };
}

/** Returns what answers requests without a program or a file: a server that only redirects. */
function answersOf(block: readonly Directive[]): readonly Handler[] {
  return block.some(({ name }) => name === 'return') ? [{ kind: 'other', text: 'return' }] : [];
}

function listenOf(block: readonly Directive[]): readonly string[] {
  const listens = block.flatMap(({ name, args }) => (name === 'listen' ? args.slice(0, 1) : []));
  return listens.length === 0 ? ['80'] : [...new Set(listens)];
}

/** Returns the root of `location /`, or else the first root of a location. Used if only locations have a root. */
function rootOfLocations(block: readonly Directive[]): string | undefined {
  const locations = block.filter(({ name }) => name === 'location');
  const main = locations.find(({ args }) => args.at(-1) === '/');
  for (const { block: inside = [] } of main === undefined ? locations : [main, ...locations]) {
    const root = valueOf(inside, 'root');
    if (root !== undefined) return root;
  }
  return undefined;
}

interface Walked {
  readonly handlers: readonly Handler[];
  readonly overrides: readonly OverridingDirective[];
}

const inner = new Set(['location', 'if', 'limit_except']);
const replaced = new Set<string>(['limit_conn', 'access_log', 'add_header']);

/** Collects handlers and overrides. An override matters at the server, and in blocks where requests are handled. */
function walk(block: readonly Directive[], upstreams: Upstreams, kind: string): Walked {
  const walked = block.flatMap((each) =>
    inner.has(each.name) && each.block !== undefined
      ? [walk(each.block, upstreams, each.name)]
      : [],
  );
  const handlers = [
    ...block.filter(({ name }) => isPass(name)).flatMap((each) => handlersOf(each, upstreams)),
    ...walked.flatMap((each) => each.handlers),
  ];
  const counts = kind === 'server' || handlers.length > 0;
  const overrides = counts ? block.flatMap(overridesOf) : [];
  return { handlers, overrides: [...overrides, ...walked.flatMap((each) => each.overrides)] };
}

function overridesOf(directive: Directive): readonly OverridingDirective[] {
  const { name, file, line } = directive;
  if (!replaced.has(name) || isOwnDirective(directive)) return [];
  return [{ directive: name as OverridingDirective['directive'], file, line }];
}

const ports: Readonly<Record<string, number>> = {
  'http:': 80,
  'https:': 443,
  'grpc:': 80,
  'grpcs:': 443,
};

function handlersOf({ name, args }: Directive, upstreams: Upstreams): readonly Handler[] {
  const kind = isPass(name) ? passes[name] : undefined;
  const [target] = args;
  if (kind === undefined || target === undefined) return [];
  const scheme = /^([a-z]+:)\/\//.exec(target);
  const rest = scheme === null ? target : target.slice(scheme[0].length);
  const host = rest.startsWith('unix:') ? rest : rest.replace(/\/.*$/s, '');
  const named = upstreams.get(host);
  if (named !== undefined && named.length > 0)
    return named.map((address) => ({ kind, address, text: target }));
  const address = host.includes('$')
    ? undefined
    : parseAddress(host.replace(/^(unix:[^:]*):.*$/s, '$1'), ports[scheme?.[1] ?? '']);
  return [{ kind, text: target, ...(address === undefined ? {} : { address }) }];
}

function upstreamsOf(http: readonly Directive[]): Upstreams {
  return new Map(
    http.flatMap(({ name, args, block }) => {
      if (name !== 'upstream' || block === undefined) return [];
      const servers = block.filter((each) => each.name === 'server');
      return [
        [args[0] ?? '', servers.flatMap((each) => parseAddress(each.args[0] ?? '', 80) ?? [])],
      ];
    }),
  );
}

const argsOf = (block: readonly Directive[], wanted: string): readonly string[] =>
  block.flatMap(({ name, args }) => (name === wanted ? args : []));

const valueOf = (block: readonly Directive[], wanted: string): string | undefined =>
  block.find(({ name }) => name === wanted)?.args[0];
