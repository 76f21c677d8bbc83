/**
 * The entry paths of tenants' processes on a server, and how each is covered here. The table has one row per entry
 * path; callers pass in the facts about this server.
 */

import { docPage } from '../../sys/package-files.ts';
import type { DriverName } from '../../policy/document.ts';
import type { Policy } from '../../policy/policy.ts';
import type { Paths } from '../paths.ts';

/** All values, the worst first. */
export const heldOrder = ['not covered', 'caught', 'at login', 'at source'] as const;
/**
 *     at source     starts in the tenant's cgroup
 *     at login      is put there before the first instruction of the tenant
 *     caught        the agent moves it after it has started
 */
export type Held = (typeof heldOrder)[number];

export interface WayIn {
  readonly name: string;
  /** Programs any of which shows that this server has this entry path; `*` stands for any end of a name. */
  readonly programs: readonly string[];
  /** The PAM services with whose sessions it begins; none if none is opened, or not for certain. */
  readonly sessions: readonly string[];
  /** Set if only the configuration of web servers shows who uses it. */
  readonly ofSites?: true;
  /** The names of processes that start tenants' processes. */
  readonly daemons: RegExp;
  /** The names of their systemd services, without an instance and `.service`. */
  readonly units?: RegExp;
  /** The command to run, or the page to read, for better coverage. */
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

/** The facts about how one PAM service treats tenants' sessions. */
export interface SessionFacts {
  readonly service: string;
  /** Whether the process is in its tenant's cgroup, for good, before the tenant's first instruction. */
  readonly placed: boolean;
  /** The reason, if it is not. */
  readonly reason?: string;
  /** Whether the process is in the jail by then; absent if no tenant has a jail. */
  readonly jail?: JailFacts;
}

export interface JailFacts {
  readonly entered: boolean;
  /** The reason, if it is not. */
  readonly reason?: string;
}

/** The number of sites, or of other units that count there, by coverage. */
export type HeldCounts = Readonly<Partial<Record<Held, number>>>;

/** The context in which a capability answers. */
export interface WayContext {
  readonly paths: Paths;
  readonly policy: Policy | undefined;
  readonly driver: DriverName;
}

/** Finds the origin of each of these processes within an entry path, by pid, if it is known: `pool shop`. */
export type Origins = (
  processes: readonly { readonly pid: number; readonly uid: number }[],
) => Promise<ReadonlyMap<number, string>>;

/** A capability's knowledge of entry paths; only the agent covers paths that no capability knows. */
export interface WayKnowledge {
  readonly sessions?: readonly SessionFacts[];
  readonly counts?: Readonly<Partial<Record<WayName, HeldCounts>>>;
}

export interface WayFacts extends Required<WayKnowledge> {
  /** Returns the programs of an entry path that are on this server. */
  readonly programs: (way: WayIn) => readonly string[];
  /** Returns why a PAM service opens no session at all, such as `UsePAM no` of sshd. */
  readonly withoutSession: (service: string) => string | undefined;
  /** The services that this server has. */
  readonly services: ReadonlySet<string>;
  /** Whether an agent moves processes that have started elsewhere. */
  readonly agentRuns: boolean;
}

export interface WayReport {
  readonly way: WayName;
  /** The coverage; absent if there is nothing to cover. */
  readonly held?: Held;
  readonly reason: string;
  readonly improve?: string;
  /** Absent if no tenant has a jail, or if that is unknown. */
  readonly jail?: JailFacts;
  readonly programs: readonly string[];
}

/** Reports all entry paths; sites' entry paths only if `asked`: if capabilities were asked for their numbers. */
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

/** Returns the jail, which counts as entered only if every service enters it. */
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

/** Returns the improvement. The agent comes first, since it covers every entry path that nothing else does. */
function improvement(held: Held, way: WayIn, { agentRuns }: WayFacts): Pick<Judged, 'improve'> {
  if (held === 'at source' || held === 'at login') return {};
  const better = way.improve;
  if (agentRuns) return better === undefined ? {} : { improve: better };
  const agent = 'start the agent';
  return { improve: better === undefined ? agent : `${agent}, and ${better}` };
}
