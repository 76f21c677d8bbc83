/** `<databases>` → DatabasesElement, with every mistake reported. */
import type { Diagnostics, Located, Span } from '../diagnostic.ts';
import { LocatedValues, span, words } from '../elements/located-values.ts';
import { childrenOf, xmlAttribute, type XmlElement } from '../xml.ts';
import { isPostgresqlSocket } from './postgresql-socket.ts';
import { isServersOwn } from './servers-own.ts';
import {
  nobodysAccount,
  type AccountElement,
  type AccountRule,
  type DatabasesElement,
  type HoldMode,
  type ServerElement,
  type ServerKind,
} from './databases-element.ts';

export function readDatabases(element: XmlElement, diagnostics: Diagnostics): DatabasesElement {
  const values = new LocatedValues(diagnostics);
  const servers = childrenOf(element, 'server').flatMap((each) => readServer(each, values));
  const accounts = childrenOf(element, 'account').flatMap((each) => readAccount(each, values));
  const exempt = words(xmlAttribute(element, 'exempt')).filter(
    ({ value }) => value !== nobodysAccount,
  );
  refuseTwice(servers.map(socketOf), 'server', diagnostics);
  refuseTwice(accounts.map(nameOf), 'account', diagnostics);
  refuseExempt(accounts, exempt, diagnostics);
  for (const { name, tenant } of accounts) {
    if (!isServersOwn(name.value) || tenant.value === nobodysAccount) continue;
    diagnostics.error(
      name,
      `The account "${name.value}" is a server's own, and never belongs to a tenant`,
    );
  }
  for (const { server, at } of servers) refuseOtherKind(server, at, diagnostics);
  return {
    ...span(element),
    rule: values.choice<AccountRule>(element, 'accounts', 'databases')?.value ?? 'prefix',
    exempt,
    hold: values.choice<HoldMode>(element, 'hold', 'databases')?.value ?? 'watch',
    servers,
    accounts,
  };
}

function refuseOtherKind(
  { kind, socket }: ServerElement['server'],
  at: Span,
  diagnostics: Diagnostics,
): void {
  const isPostgresql = isPostgresqlSocket(socket);
  if (isPostgresql === (kind === 'postgresql')) return;
  diagnostics.error(
    at,
    isPostgresql
      ? `"${socket}" is a socket of PostgreSQL; write kind="postgresql"`
      : `"${socket}" is not a socket of PostgreSQL: these end with ".s.PGSQL." and the port, as "/run/postgresql/.s.PGSQL.5432"`,
  );
}

function readServer(element: XmlElement, values: LocatedValues): readonly ServerElement[] {
  const kind = values.choice<ServerKind>(element, 'kind', 'server');
  const socket = values.value(element, 'socket', 'path');
  const credentials = values.value(element, 'credentials', 'path');
  if (kind === undefined || socket === undefined) return [];
  const server = {
    kind: kind.value,
    socket: socket.value,
    ...(credentials && { credentials: credentials.value }),
  };
  return [{ server, at: socket }];
}

function readAccount(element: XmlElement, values: LocatedValues): readonly AccountElement[] {
  const name = values.value(element, 'name', 'databaseAccount');
  const tenant = values.value(element, 'tenant', 'tenant');
  return name === undefined || tenant === undefined ? [] : [{ ...span(element), name, tenant }];
}

const socketOf = ({ at, server }: ServerElement): Located<string> => ({
  ...span(at),
  value: server.socket,
});
const nameOf = ({ name }: AccountElement) => name;

function refuseTwice(
  all: readonly Located<string>[],
  element: string,
  diagnostics: Diagnostics,
): void {
  const first = new Map<string, Span>();
  for (const each of all) {
    const earlier = first.get(each.value);
    if (earlier === undefined) first.set(each.value, each);
    else
      diagnostics.error(
        each,
        `The ${element} "${each.value}" is listed twice; first in line ${diagnostics.lineOf(earlier)}`,
      );
  }
}

function refuseExempt(
  accounts: readonly AccountElement[],
  exempt: readonly Located<string>[],
  diagnostics: Diagnostics,
): void {
  const exempted = new Set(exempt.map(({ value }) => value));
  for (const { name, tenant } of accounts) {
    if (!exempted.has(name.value) || tenant.value === nobodysAccount) continue;
    diagnostics.error(
      name,
      `The account "${name.value}" is also listed in "exempt"; remove one of them`,
    );
  }
}
