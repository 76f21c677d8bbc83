/**
 * The ways in which processes of tenants begin on a server, and how each is held here. One entry of the table is one
 * way; what is known of this server is handed in.
 */

import { docPage } from '../../sys/package-files.ts';
import type { DriverName } from '../../policy/document.ts';
import type { Policy } from '../../policy/policy.ts';
import type { Paths } from '../paths.ts';

/** The worst first. */
export const heldOrder = ['not covered', 'caught', 'at login', 'at source'] as const;
/**
 *     at source     begins in the tenant's cgroup
 *     at login      is put there before the first instruction of the tenant
 *     caught        the agent moves it after it has started
 */
export type Held = (typeof heldOrder)[number];

export interface WayIn {
  readonly name: string;
  /** Any of them on this server means that there is this way; `*` stands for any end of a name. */
  readonly programs: readonly string[];
  /** The services of PAM with whose sessions it begins; none where none is opened, or not for certain. */
  readonly sessions: readonly string[];
  /** Only the configuration of web servers tells who uses it. */
  readonly ofSites?: true;
  /** What processes are called that start those of tenants. */
  readonly daemons: RegExp;
  /** What their services of systemd are called, without an instance and `.service`. */
  readonly units?: RegExp;
  /** What to run or to read for it to be held better. */
  readonly improve?: string;
}

const enableStep = 'run "bulkhead pam enable"';

const table = {
  ssh: {
    programs: ['/usr/sbin/sshd'],
    sessions: ['sshd'],
    daemons: /^sshd/,
    units: /^sshd?$/,
    improve: enableStep,
  },
  su: {
    programs: ['/usr/bin/su'],
    sessions: ['su', 'su-l'],
    daemons: /^su$/,
    improve: enableStep,
  },
  cron: {
    programs: ['/usr/sbin/cron', '/usr/sbin/crond'],
    sessions: ['cron', 'crond'],
    daemons: /^(?:CRON|cron|crond)$/,
    units: /^crond?$/,
    improve: enableStep,
  },
  at: {
    programs: ['/usr/sbin/atd'],
    sessions: ['atd'],
    daemons: /^atd$/,
    units: /^atd$/,
    improve: enableStep,
  },
  'PHP-FPM': {
    programs: ['/usr/sbin/php-fpm*'],
    sessions: [],
    ofSites: true,
    daemons: /^php-fpm/,
    units: /^(?:php[\d.]*-fpm|bulkhead-fpm\d*)$/,
    improve: 'run "bulkhead web fpm enable --all"',
  },
  CGI: {
    programs: ['/usr/sbin/fcgiwrap', '/usr/lib/apache2/suexec-*', '/usr/sbin/suexec'],
    sessions: [],
    ofSites: true,
    daemons: /^(?:fcgiwrap|apache2|httpd|suexec.*)$/,
    units: /^(?:fcgiwrap|apache2|httpd|bulkhead-cgi)$/,
    improve: `make it a service of each tenant; see ${docPage('fastcgi')}`,
  },
  'mail delivery': {
    programs: [
      '/usr/sbin/exim4',
      '/usr/lib/postfix/sbin/local',
      '/usr/libexec/postfix/local',
      '/usr/lib/dovecot/lmtp',
      '/usr/libexec/dovecot/lmtp',
    ],
    sessions: [],
    daemons: /^(?:exim4|local|pipe|lmtp|dovecot.*|imap|pop3|procmail|maildrop|sendmail|master)$/,
    units: /^(?:exim4?|postfix|dovecot)$/,
  },
  FTP: {
    programs: ['/usr/sbin/vsftpd', '/usr/sbin/proftpd', '/usr/sbin/pure-ftpd*'],
    sessions: [],
    daemons: /^(?:vsftpd|proftpd|pure-ftpd.*)$/,
    units: /^(?:vsftpd|proftpd|pure-ftpd.*)$/,
  },
} as const satisfies Record<string, Omit<WayIn, 'name'>>;

export type WayName = keyof typeof table;

const rows: Readonly<Record<WayName, Omit<WayIn, 'name'>>> = table;

export const waysIn: readonly (WayIn & { readonly name: WayName })[] = Object.entries(rows).map(
  ([name, way]) => ({ name: name as WayName, ...way }),
);

/** What is known of how one service of PAM treats sessions of tenants. */
export interface SessionFacts {
  readonly service: string;
  /** Whether the process is in its tenant's cgroup, for good, before the tenant's first instruction. */
  readonly placed: boolean;
  /** Why not. */
  readonly reason?: string;
  /** Where tenants have jails: whether it is in the jail by then. */
  readonly jail?: JailFacts;
}

export interface JailFacts {
  readonly entered: boolean;
  /** Why not. */
  readonly reason?: string;
}

/** How many sites, or whatever counts there, are held in which way. */
export type HeldCounts = Readonly<Partial<Record<Held, number>>>;

/** What a capability is asked about. */
export interface WayContext {
  readonly paths: Paths;
  readonly policy: Policy | undefined;
  readonly driver: DriverName;
}

/** From where in a way each of these processes came, by pid, as far as that can be told: `pool shop`. */
export type Origins = (
  processes: readonly { readonly pid: number; readonly uid: number }[],
) => Promise<ReadonlyMap<number, string>>;

/** What a capability knows of ways in; what none knows of is held by the agent alone. */
export interface WayKnowledge {
  readonly sessions?: readonly SessionFacts[];
  readonly counts?: Readonly<Partial<Record<WayName, HeldCounts>>>;
}

export interface WayFacts extends Required<WayKnowledge> {
  /** Which programs of a way are on this server. */
  readonly programs: (way: WayIn) => readonly string[];
  /** Why a service of PAM is not asked for a session at all, such as `UsePAM no` of sshd. */
  readonly withoutSession: (service: string) => string | undefined;
  /** Services that this server has. */
  readonly services: ReadonlySet<string>;
  /** Whether an agent moves processes that have begun elsewhere. */
  readonly agentRuns: boolean;
}

export interface WayReport {
  readonly way: WayName;
  /** Absent where there is nothing to hold. */
  readonly held?: Held;
  readonly reason: string;
  readonly improve?: string;
  /** Absent where no tenant has a jail, or where it is not known. */
  readonly jail?: JailFacts;
  readonly programs: readonly string[];
}

/** Those of sites only where somebody has been asked for them, if `asked`. */
export const reportWays = (facts: WayFacts, asked = true): readonly WayReport[] =>
  waysIn
    .filter(({ ofSites }) => asked || ofSites === undefined)
    .map((way) => reportWay(way, facts));

function reportWay(way: WayIn & { readonly name: WayName }, facts: WayFacts): WayReport {
  const programs = facts.programs(way);
  const about = { way: way.name, programs };
  const counts = facts.counts[way.name];
  if (counts !== undefined) return { ...about, ...byCounts(counts, way, facts) };
  if (programs.length === 0) return { ...about, reason: 'not installed' };
  const jail = jailOf(way, facts);
  const judged = bySessions(way, facts);
  if (jail === undefined) return { ...about, ...judged };
  const improve = jail.entered || way.improve === undefined ? {} : { improve: way.improve };
  return { ...about, ...improve, ...judged, jail };
}

/** Entered only if it is whatever the service. */
function jailOf(way: WayIn, facts: WayFacts): JailFacts | undefined {
  const known = way.sessions
    .filter((service) => facts.services.has(service))
    .flatMap((service) => {
      const jail = facts.sessions.find((each) => each.service === service)?.jail;
      const none = jail === undefined ? undefined : facts.withoutSession(service);
      return none === undefined ? (jail ?? []) : [{ entered: false, reason: none }];
    });
  return known.find(({ entered }) => !entered) ?? known[0];
}

type Judged = Pick<WayReport, 'held' | 'reason' | 'improve'>;

function byCounts(counts: HeldCounts, way: WayIn, facts: WayFacts): Judged {
  const some = heldOrder.filter((held) => (counts[held] ?? 0) > 0);
  const [worst] = some;
  if (worst === undefined) return { reason: 'no site of a tenant uses it' };
  const reason = some.map((held) => `${sites(counts[held] ?? 0)} ${held}`).join(', ');
  return { held: worst, reason, ...improvement(worst, way, facts) };
}

const sites = (number: number) => (number === 1 ? '1 site' : `${number} sites`);

function bySessions(way: WayIn, facts: WayFacts): Judged {
  const services = way.sessions.filter((each) => facts.services.has(each));
  const reasons = services.flatMap((service) => whyNotPlaced(service, facts) ?? []);
  if (services.length > 0 && reasons.length === 0)
    return { held: 'at login', reason: 'placed when the session is opened' };
  const [reason = 'nothing places it when it starts'] = reasons;
  return byAgent(reason, way, facts);
}

function whyNotPlaced(service: string, facts: WayFacts): string | undefined {
  const none = facts.withoutSession(service);
  if (none !== undefined) return none;
  const known = facts.sessions.find((each) => each.service === service);
  if (known?.placed === true) return undefined;
  return known?.reason ?? `the login step does not run for ${service}`;
}

function byAgent(reason: string, way: WayIn, facts: WayFacts): Judged {
  const held = facts.agentRuns ? 'caught' : 'not covered';
  const who = facts.agentRuns ? 'the agent moves it' : 'no agent runs';
  return { held, reason: `${reason}; ${who}`, ...improvement(held, way, facts) };
}

/** The agent first, since it holds every way that nothing else does. */
function improvement(held: Held, way: WayIn, { agentRuns }: WayFacts): Pick<Judged, 'improve'> {
  if (held === 'at source' || held === 'at login') return {};
  const better = way.improve;
  if (agentRuns) return better === undefined ? {} : { improve: better };
  const agent = 'start the agent';
  return { improve: better === undefined ? agent : `${agent}, and ${better}` };
}
