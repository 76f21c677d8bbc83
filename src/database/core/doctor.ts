/** The text of `doctor` about database servers: which there are, which limits are enforced, and what gets around them. */
import { count, listSome } from '../../../packages/base/list.ts';
import { printable } from '../../../packages/base/printable.ts';
import { isPostgresqlSocket } from '../../policy/databases/postgresql-socket.ts';
import { isServersOwn } from '../../policy/databases/servers-own.ts';
import {
  accountName,
  anybodysLogin,
  isAnonymous,
  type ServerAccount,
} from './connection-numbers.ts';
import type { DatabaseLimits } from './database-limits.ts';
import { formatSeenBy, type SeenBy } from './peers/seen-by.ts';

/** A server, as far as it could be asked. */
export interface DoctorServer {
  readonly socket: string;
  /** Whether `db enable` has been run for it. */
  readonly isEnabled: boolean;
  /** Why it could not be asked; nothing else is known then. */
  readonly problem?: string;
  readonly version?: string;
  /** How the agent sees its tenants; absent if nothing needs to see them. */
  readonly seenBy?: SeenBy;
  /** Facts that the server does not show, and why. */
  readonly missing?: readonly string[];
  readonly isReadOnly?: boolean;
  readonly runsEvents?: boolean;
  readonly accounts?: readonly DoctorAccount[];
}

export interface DoctorAccount extends ServerAccount {
  /** Whether it belongs to a tenant. */
  readonly isTenants: boolean;
}

/** The limits that tenants of the policy have. */
export type LimitNames = ReadonlySet<keyof DatabaseLimits>;

const limitWords: Readonly<Record<keyof DatabaseLimits, string>> = {
  cpu: 'cpu',
  connections: 'connections',
  statementMilliseconds: 'statement',
  transactionMilliseconds: 'transaction',
};

/** PostgreSQL counts nothing by account. */
const keptCpu = 'cpu of kept connections';

export interface DoctorText {
  readonly text: string;
  readonly remarks: readonly string[];
}

export function doctorText(servers: readonly DoctorServer[], limits: LimitNames): DoctorText {
  return {
    text: servers.map((each) => serverText(each, limits)).join('; '),
    remarks: servers.flatMap((each) => serverRemarks(each, limits)),
  };
}

function serverText(server: DoctorServer, limits: LimitNames): string {
  const { socket, version, problem, isEnabled, seenBy } = server;
  const name = version === undefined ? socket : `${nameOf(version)} at ${socket}`;
  if (limits.size === 0) return `${name}: no limits are set`;
  if (!isEnabled) return `${name}: no limit is enforced, since it is not enabled`;
  if (problem !== undefined) return `${name}: unknown`;
  const isKept = isPostgresqlSocket(socket) && seenBy?.by !== 'socket';
  const enforced = [...limits]
    .filter((each) => !lacks(server, each))
    .map((each) => (each === 'cpu' && isKept ? keptCpu : limitWords[each]));
  const seen = seenBy === undefined ? '' : `, ${formatSeenBy(seenBy)}`;
  return `${name}: ${enforced.length === 0 ? 'no limit is enforced' : `${enforced.join(', ')} enforced`}${seen}`;
}

const nameOf = (version: string): string => {
  const [other] = /^(?:PostgreSQL|MySQL|Percona Server) \d+(?:\.\d+)*/.exec(version) ?? [];
  if (other !== undefined) return other;
  const number = /^\d+\.\d+\.\d+/.exec(version)?.[0];
  return number !== undefined && /mariadb/i.test(version)
    ? `MariaDB ${number}`
    : printable(version.slice(0, 40));
};

/** Whether the limit cannot be enforced in this server. */
const lacks = ({ isReadOnly, accounts = [] }: DoctorServer, limit: keyof DatabaseLimits): boolean =>
  limit === 'connections' ? isReadOnly === true : accounts.some(isAnonymous);

const accountsShown = 10;

function serverRemarks(server: DoctorServer, limits: LimitNames): readonly string[] {
  const {
    socket,
    isEnabled,
    problem,
    missing = [],
    isReadOnly,
    runsEvents,
    accounts = [],
  } = server;
  if (limits.size === 0) return [];
  if (!isEnabled)
    return [`${socket}: run "bulkhead db enable", which first shows its changes with --dry-run`];
  if (problem !== undefined) return [`${socket}: ${problem}`];
  const readOnly =
    isReadOnly === true && limits.has('connections')
      ? [`${socket} is read-only: numbers of connections cannot be set there`]
      : [];
  const events =
    runsEvents === true
      ? [
          `${socket}: event_scheduler is on: no account is charged for what an event uses after it was last seen, and pausing holds no event; if no application needs them: SET GLOBAL event_scheduler = OFF`,
        ]
      : [];
  return [
    ...missing.map((each) => `${socket} does not show ${each}`),
    ...readOnly,
    ...events,
    ...accountRemarks(socket, accounts),
  ];
}

/** Returns remarks on accounts for which limits do not hold, or that could get around them. */
function accountRemarks(socket: string, accounts: readonly DoctorAccount[]): readonly string[] {
  const others = accounts.filter(({ account, isRole }) => !isRole && !isServersOwn(account));
  const unknown = others.filter(({ privileges }) => privileges === undefined);
  const powerful = others.filter(({ privileges = [] }) => privileges.length > 0);
  const tenants = others.filter(({ isTenants }) => isTenants);
  const creators = tenants.filter(({ createsEvents }) => createsEvents);
  const granters = tenants.filter(({ grants }) => grants);
  const remark = (found: readonly DoctorAccount[], what: string, effect: string) =>
    found.length === 0
      ? []
      : [
          `${socket}: ${count(found.length, 'account')} ${what}, ${effect}: ${listSome(found.map(accountText), accountsShown)}`,
        ];
  return [
    ...(accounts.some(isAnonymous)
      ? [`${socket}: only connections are limited, since ${anybodysLogin(socket)}`]
      : []),
    ...remark(powerful, 'with global privileges', 'for which no limit holds'),
    ...remark(unknown, 'with privileges that cannot be read', 'for which no limit holds'),
    ...remark(creators, 'of tenants that may create events', 'which are charged to nobody'),
    ...remark(granters, 'of tenants with GRANT OPTION', 'which can share what it has'),
  ];
}

const accountText = ({ account, host, privileges = [] }: DoctorAccount): string => {
  const name = printable(accountName({ account, host }));
  return privileges.length === 0 ? name : `${name} (${privileges.join(', ')})`;
};
