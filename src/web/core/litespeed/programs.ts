/**
 * The programs that LiteSpeed runs for a virtual host, and the accounts as which it starts them. Its own script handlers
 * replace the server's for the same suffix.
 *
 *     extProcessor shop { type lsapi  path /usr/local/lsws/lsphp84/bin/lsphp  extUser shop  maxConns 10 }
 *     scriptHandler { add lsapi:shop php }
 *
 * Source: "External App" and "Virtual Host Security" in the manual of OpenLiteSpeed.
 */
import { parseAddress } from '../address.ts';
import type { Handler, LiteSpeedProgram } from '../site.ts';
import { childrenNamed, listIn, numberOf, valueOf, type LiteSpeedNode } from './node.ts';
import type { LiteSpeedFiles, VirtualHost } from './virtual-hosts.ts';

interface HostPrograms {
  readonly handlers: readonly Handler[];
  readonly started: readonly LiteSpeedProgram[];
}

/** LiteSpeed's own account, if its configuration names none. */
const defaultUser = 'nobody';
/** `setUIDMode`: the owner of the document root. */
const byDocRoot = 2;

export function programsOf(
  server: LiteSpeedNode,
  host: VirtualHost,
  files: LiteSpeedFiles,
): HostPrograms {
  if (numberOf(host.registered, 'enablescript') === 0) return { handlers: [], started: [] };
  const users = usersOf(server, host, files);
  const handlers: Handler[] = [];
  const started: LiteSpeedProgram[] = [];
  for (const target of targetsOf(server, host)) {
    const found = appOf(target, server, host);
    if (target === 'cgi') handlers.push({ kind: 'external', text: 'CGI', user: users.host });
    if (found === undefined) continue;
    handlers.push(handlerOf(target, found, host, found.isOwn ? users.host : users.server));
    if (isStarted(found.app)) started.push(programOf(found.app, host));
  }
  return { handlers, started };
}

/** Returns what handles requests, each once: `lsapi:shop`, and `cgi` for a context of CGI programs. */
function targetsOf(server: LiteSpeedNode, host: VirtualHost): ReadonlySet<string> {
  const bySuffix = new Map<string, string>();
  for (const each of [server, host.config])
    for (const { suffixes, target } of scriptHandlers(each))
      for (const suffix of suffixes) bySuffix.set(suffix, host.expand(target));
  const contexts = childrenNamed(host.config, 'context').flatMap((each) => {
    const type = valueOf(each, 'type') ?? '';
    const handler = valueOf(each, 'handler');
    if (type === 'cgi') return ['cgi'];
    return handler === undefined ? [] : [host.expand(`${type}:${handler}`)];
  });
  return new Set([...bySuffix.values(), ...contexts]);
}

/** `add lsapi:shop php, php8` in plain text, `<suffix>`, `<type>` and `<handler>` in XML. */
const scriptHandlers = (node: LiteSpeedNode) =>
  childrenNamed(node, 'scripthandler').flatMap((each) => {
    const added = childrenNamed(each, 'add').map(({ value }) => {
      const [target = '', ...suffixes] = listIn(value);
      return { target, suffixes };
    });
    const target = `${valueOf(each, 'type') ?? ''}:${valueOf(each, 'handler') ?? ''}`;
    return [...added, { target, suffixes: listIn(valueOf(each, 'suffix') ?? '') }];
  });

interface FoundApp {
  readonly app: LiteSpeedNode;
  /** Whether it is the virtual host's own, and so runs as its account. */
  readonly isOwn: boolean;
}

function appOf(target: string, server: LiteSpeedNode, host: VirtualHost): FoundApp | undefined {
  const name = target.slice(target.indexOf(':') + 1);
  const named = (node: LiteSpeedNode) =>
    childrenNamed(node, 'extprocessor').findLast(({ value }) => host.expand(value) === name);
  const own = named(host.config);
  if (own !== undefined) return { app: own, isOwn: true };
  const shared = named(server);
  return shared && { app: shared, isOwn: false };
}

/** Whether LiteSpeed starts it: without a path, or with `autoStart 0`, somebody else does. */
const isStarted = (app: LiteSpeedNode): boolean =>
  valueOf(app, 'path') !== undefined && numberOf(app, 'autostart') !== 0;

function handlerOf(target: string, { app }: FoundApp, host: VirtualHost, user: string): Handler {
  const type = target.slice(0, target.indexOf(':'));
  if (isStarted(app))
    return {
      kind: 'external',
      text: `${type} ${host.expand(app.value)}`,
      user: valueOf(app, 'extuser') ?? user,
    };
  const text = host.expand(valueOf(app, 'address') ?? '');
  const address = parseAddress(text.replace(/^uds:\/*/i, 'unix:/').replace(/^https?:\/\//, ''), 80);
  const kind = type === 'proxy' ? 'proxy' : 'fastcgi';
  return { kind, text, ...(address !== undefined && { address }) };
}

function programOf(app: LiteSpeedNode, host: VirtualHost): LiteSpeedProgram {
  const { file, line } = app;
  const requests = numberOf(app, 'maxconns');
  return { name: host.expand(app.value), file, line, ...(requests !== undefined && { requests }) };
}

/**
 * Returns the accounts of programs without `extUser`: the virtual host's own, and the server's. LiteSpeed takes its own
 * account for an owner below `minUID`.
 */
function usersOf(
  server: LiteSpeedNode,
  { registered, docRoot }: VirtualHost,
  files: LiteSpeedFiles,
) {
  const own = valueOf(server, 'user') ?? defaultUser;
  const [limits] = childrenNamed(server, 'cgirlimit');
  const owner =
    numberOf(registered, 'setuidmode') === byDocRoot ? files.ownerOf(docRoot) : undefined;
  const isUsed = owner !== undefined && owner >= Math.max(1, numberOf(limits, 'minuid') ?? 0);
  return { server: own, host: valueOf(registered, 'user') ?? (isUsed ? `#${owner}` : own) };
}
