/**
 * The entry paths of tenants' processes on a server, and how each is covered here. The table has one row per entry
 * path; callers pass in the facts about this server.
 */

import type { Cause } from '../../../packages/base/problem.ts';
import { phpPrograms, phpUnits } from '../../layouts/layouts.ts';
import { stemPattern } from '../../layouts/service-names.ts';
import { docPage } from '../../sys/package-files.ts';
import type { DriverName } from '../../policy/document.ts';
import type { Policy } from '../../policy/policy.ts';
import type { Paths } from '../paths.ts';

/** All values, the worst first. */
export const enforcedOrder = ['not covered', 'caught', 'at login', 'at source'] as const;
/**
 *     at source     starts in the tenant's cgroup
 *     at login      is put there before the first instruction of the tenant
 *     caught        the agent moves it after it has started
 */
export type Enforced = (typeof enforcedOrder)[number];

export interface EntryPath {
  readonly name: string;
  /** Programs any of which shows that this server has this entry path, as patterns. */
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
    programs: phpPrograms,
    sessions: [],
    ofSites: true,
    daemons: /^php-fpm/,
    units: new RegExp(`${phpUnits.source}|^bulkhead(?:-fpm|${stemPattern})$`),
    improve: 'run "bulkhead web fpm enable --all"',
  },
  CGI: {
    programs: ['/usr/sbin/fcgiwrap', '/usr/lib/apache2/suexec-*', '/usr/sbin/suexec'],
    sessions: [],
    ofSites: true,
    daemons: /^(?:fcgiwrap|apache2|httpd|suexec.*)$/,
    units: /^(?:fcgiwrap|apache2|httpd|bulkhead-cgi)$/,
    improve: `run "bulkhead web suexec enable" for Apache, or make it a service of each tenant; see ${docPage('fastcgi')}`,
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
    sessions: ['vsftpd', 'proftpd', 'pure-ftpd', 'ftp'],
    daemons: /^(?:vsftpd|proftpd|pure-ftpd.*)$/,
    units: /^(?:vsftpd|proftpd|pure-ftpd.*)$/,
  },
} as const satisfies Record<string, Omit<EntryPath, 'name'>>;

export type EntryPathName = keyof typeof table;

const rows: Readonly<Record<EntryPathName, Omit<EntryPath, 'name'>>> = table;

export const entryPaths: readonly (EntryPath & { readonly name: EntryPathName })[] = Object.entries(
  rows,
).map(([name, entryPath]) => ({ name: name as EntryPathName, ...entryPath }));

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
  /** Whether sessions are opened in the jail. */
  readonly entered: boolean;
  /** Whether tenants with a jail are refused there, since sessions are opened outside it. */
  readonly refused?: boolean;
  /** Set if sessions may be outside: it is unknown which accounts have a jail. */
  readonly unknown?: true;
  /** The reason, if it is not entered. */
  readonly reason?: string;
}

/** Whether sessions are known to be opened outside the jail. */
export const isOutsideJail = (jail: JailFacts | undefined): boolean =>
  jail?.entered === false && jail.refused !== true && jail.unknown !== true;

/** The number of sites, or of other units that count there, by coverage. */
export type EnforcedCounts = Readonly<Partial<Record<Enforced, number>>>;

/** The context in which a capability answers. */
export interface EntryPathContext {
  readonly paths: Paths;
  readonly policy: Policy | undefined;
  readonly driver: DriverName;
}

/** Finds the origin of each of these processes within an entry path, by pid, if it is known: `pool shop`. */
export type Origins = (
  processes: readonly { readonly pid: number; readonly uid: number }[],
) => Promise<ReadonlyMap<number, string>>;

/** A capability's knowledge of entry paths; only the agent covers paths that no capability knows. */
export interface EntryPathKnowledge {
  readonly sessions?: readonly SessionFacts[];
  readonly counts?: Readonly<Partial<Record<EntryPathName, EnforcedCounts>>>;
}

export interface EntryPathFacts extends Required<EntryPathKnowledge> {
  /** Returns the programs of an entry path that are on this server. */
  readonly programs: (entryPath: EntryPath) => readonly string[];
  /** Returns why a PAM service opens no session at all, such as `UsePAM no` of sshd. */
  readonly withoutSession: (service: string) => Cause | undefined;
  /** The services that this server has. */
  readonly services: ReadonlySet<string>;
  /** Whether an agent moves processes that have started elsewhere. */
  readonly agentRuns: boolean;
}

export interface EntryPathReport {
  /** The entry path: `ssh`, `cron`, … */
  readonly entryPath: EntryPathName;
  /** The coverage; absent if there is nothing to cover. */
  readonly enforced?: Enforced;
  /** The reason for the coverage. */
  readonly reason: string;
  /** Advice for better coverage. */
  readonly improve?: string;
  /** Absent if no tenant has a jail, or if that is unknown. */
  readonly jail?: JailFacts;
  /** The programs of this entry path that the host has. */
  readonly programs: readonly string[];
}

/** Reports all entry paths; sites' entry paths only if `asked`: if capabilities were asked for their numbers. */
export const reportEntryPaths = (facts: EntryPathFacts, asked = true): readonly EntryPathReport[] =>
  entryPaths
    .filter(({ ofSites }) => asked || ofSites === undefined)
    .map((entryPath) => reportEntryPath(entryPath, facts));

function reportEntryPath(
  entryPath: EntryPath & { readonly name: EntryPathName },
  facts: EntryPathFacts,
): EntryPathReport {
  const programs = facts.programs(entryPath);
  const about = { entryPath: entryPath.name, programs };
  const counts = facts.counts[entryPath.name];
  if (counts !== undefined) return { ...about, ...byCounts(counts, entryPath, facts) };
  if (programs.length === 0) return { ...about, reason: 'not installed' };
  const jail = jailOf(entryPath, facts);
  const judged = bySessions(entryPath, facts);
  if (jail === undefined) return { ...about, ...judged };
  const improve =
    jail.entered || entryPath.improve === undefined ? {} : { improve: entryPath.improve };
  return { ...about, ...improve, ...judged, jail };
}

/** Returns the jail, which counts as entered only if every service enters it. */
function jailOf(entryPath: EntryPath, facts: EntryPathFacts): JailFacts | undefined {
  const known = entryPath.sessions
    .filter((service) => facts.services.has(service))
    .flatMap((service): readonly JailFacts[] => {
      const jail = facts.sessions.find((each) => each.service === service)?.jail;
      const none = jail === undefined ? undefined : facts.withoutSession(service);
      if (none !== undefined) return [{ entered: false, reason: none.reason }];
      return jail === undefined ? [] : [jail];
    });
  const outside = known.filter(({ entered }) => !entered);
  const open = outside.filter(({ refused }) => refused !== true);
  return open.find(isOutsideJail) ?? open[0] ?? outside[0] ?? known[0];
}

type Judged = Pick<EntryPathReport, 'enforced' | 'reason' | 'improve'>;

function byCounts(counts: EnforcedCounts, entryPath: EntryPath, facts: EntryPathFacts): Judged {
  const some = enforcedOrder.filter((enforced) => (counts[enforced] ?? 0) > 0);
  const [worst] = some;
  if (worst === undefined) return { reason: 'no site of a tenant uses it' };
  const reason = some.map((enforced) => `${sites(counts[enforced] ?? 0)} ${enforced}`).join(', ');
  return { enforced: worst, reason, ...improvement(worst, entryPath, facts) };
}

const sites = (number: number) => (number === 1 ? '1 site' : `${number} sites`);

function bySessions(entryPath: EntryPath, facts: EntryPathFacts): Judged {
  const services = entryPath.sessions.filter((each) => facts.services.has(each));
  const reasons = services.flatMap((service) => whyNotPlaced(service, facts) ?? []);
  if (services.length > 0 && reasons.length === 0)
    return { enforced: 'at login', reason: 'placed when the session is opened' };
  const [{ reason } = { reason: 'nothing places it when it starts' }] = reasons;
  return byAgent(reason, entryPath, facts);
}

function whyNotPlaced(service: string, facts: EntryPathFacts): Cause | undefined {
  const none = facts.withoutSession(service);
  if (none !== undefined) return none;
  const known = facts.sessions.find((each) => each.service === service);
  if (known?.placed === true) return undefined;
  return { reason: known?.reason ?? `the login step does not run for ${service}` };
}

function byAgent(reason: string, entryPath: EntryPath, facts: EntryPathFacts): Judged {
  const enforced = facts.agentRuns ? 'caught' : 'not covered';
  const who = facts.agentRuns ? 'the agent moves it' : 'no agent runs';
  return { enforced, reason: `${reason}; ${who}`, ...improvement(enforced, entryPath, facts) };
}

/** Returns the improvement. The agent comes first, since it covers every entry path that nothing else does. */
function improvement(
  enforced: Enforced,
  entryPath: EntryPath,
  { agentRuns }: EntryPathFacts,
): Pick<Judged, 'improve'> {
  if (enforced === 'at source' || enforced === 'at login') return {};
  const better = entryPath.improve;
  if (agentRuns) return better === undefined ? {} : { improve: better };
  const agent = 'start the agent';
  return { improve: better === undefined ? agent : `${agent}, and ${better}` };
}
