/** All daemons that can be confined, and those that must not be. */
import type { Cause } from '../../../packages/base/problem.ts';
import { learned } from './common.ts';
import type { ServiceFacts, Line } from './line.ts';
import { dovecot, exim, postfix } from './mail.ts';
import { mariadb, namedProfile, proftpd, vsftpd } from './others.ts';
import type { DaemonProfile } from './profile.ts';
import { apache, fpm, nginx, socketLink } from './web.ts';

export const profiles: readonly DaemonProfile[] = [
  apache,
  nginx,
  fpm,
  exim,
  postfix,
  dovecot,
  mariadb,
  namedProfile,
  vsftpd,
  proftpd,
];

const fpmUnit = /^php(?<version>\d+\.\d+)-fpm$/;

/** Returns the profile for a unit's name: `php8.4-fpm` is PHP-FPM. */
export const profileOf = (service: string): DaemonProfile | undefined =>
  profiles.find((each) => each.service === service || each.aliases.includes(service)) ??
  (fpmUnit.test(service) ? fpm : undefined);

const fpmVersion = (service: string): string | undefined =>
  fpmUnit.exec(service)?.groups?.['version'];

const sessions =
  'every session and every job of root and of tenants would inherit its sandbox, and could not enter a jail';

/** Services that are refused. */
const unconfinable: ReadonlySet<string> = new Set([
  'ssh',
  'sshd',
  'cron',
  'crond',
  'anacron',
  'atd',
  'at',
  'systemd-logind',
]);

export const whyNot = (service: string): Cause | undefined =>
  unconfinable.has(service) ? { reason: sessions } : undefined;

export interface Sandbox {
  readonly lines: readonly Line[];
  /** Lines that the host's systemd is too old for. */
  readonly unknown: readonly Line[];
}

/** Returns the contents of a unit's drop-in on this host. */
export function sandboxOf(service: string, profile: DaemonProfile, facts: ServiceFacts): Sandbox {
  const version = fpmVersion(service);
  const own = profile.lines(facts);
  const all = [
    ...own,
    ...learned(facts, own),
    ...(version === undefined ? [] : [socketLink(version)]),
  ];
  return {
    lines: all.filter(({ since }) => since <= facts.version),
    unknown: all.filter(({ since }) => since > facts.version),
  };
}
