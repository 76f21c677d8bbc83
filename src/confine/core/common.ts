/** The lines that all daemons share, and the parts that profiles are made of. */
import { hidden, line, reset, writable, type ServiceFacts, type Line } from './line.ts';

export const noNewPrivileges = line(
  'NoNewPrivileges',
  'yes',
  'programs with a set-id bit or file capabilities give it nothing',
);

/** Lines for everything that no daemon needs. */
export const common: readonly Line[] = [
  line('PrivateDevices', 'yes', 'no disks and no memory: only null, zero, random and terminals'),
  line('PrivateTmp', 'yes', '/tmp and /var/tmp of its own, where nobody lays a trap for it'),
  line('ProtectSystem', 'strict', 'everything is read-only but for ReadWritePaths= below', 232),
  line('ReadOnlyPaths', '/run', 'ProtectProc= and others below leave /run writable otherwise'),
  line('ProtectKernelTunables', 'yes', '/proc/sys and /sys are read-only', 232),
  line('ProtectKernelModules', 'yes', 'it loads no kernel modules', 232),
  line('ProtectKernelLogs', 'yes', 'the log of the kernel is not for it', 244),
  line('ProtectControlGroups', 'yes', 'cgroups are read-only: no way out of a limit', 232),
  line('ProtectClock', 'yes', 'it does not set the clock', 245),
  line('ProtectHostname', 'yes', 'it does not rename the host', 242),
  line('ProtectProc', 'invisible', 'its workers do not see processes of other users in /proc', 247),
  line('RestrictNamespaces', 'yes', 'no namespaces, in which exploits of the kernel start', 233),
  line('RestrictRealtime', 'yes', 'no real-time scheduling, which can stop all others'),
  line('RestrictSUIDSGID', 'yes', 'it leaves no programs with a set-id bit behind', 242),
  line('LockPersonality', 'yes', 'no execution domains of other systems', 235),
  line('SystemCallArchitectures', 'native', 'no calls of other architectures, past the filter'),
];

export const noWritableCode = line(
  'MemoryDenyWriteExecute',
  'yes',
  'no memory that is written and then executed, as injected code needs',
);

export const families = (netlink: boolean): readonly Line[] => [
  reset('RestrictAddressFamilies'),
  line(
    'RestrictAddressFamilies',
    `AF_UNIX AF_INET AF_INET6${netlink ? ' AF_NETLINK' : ''}`,
    netlink
      ? 'IP, local sockets, and questions about addresses and routes'
      : 'IP and local sockets',
  ),
];

/** Returns the seccomp filter. `also`: calls that the daemon needs beyond a service's, and what for. */
export const calls = (also?: readonly [words: string, why: string]): readonly Line[] => [
  reset('SystemCallFilter'),
  line('SystemCallFilter', '@system-service', 'the calls that services have in common', 239),
  line(
    'SystemCallFilter',
    '~@resources @debug @keyring @mount @module @swap @reboot @raw-io @clock @cpu-emulation @obsolete',
    'without those that manage a host',
    239,
  ),
  ...(also === undefined ? [] : [line('SystemCallFilter', also[0], also[1])]),
  line('SystemCallErrorNumber', 'EPERM', 'a refused call is an error, not the end of the process'),
];

/** Returns the bounding set; the words lack `CAP_`. */
export const boundingSetLines = (words: string, why: string): readonly Line[] => [
  reset('CapabilityBoundingSet'),
  line(
    'CapabilityBoundingSet',
    words
      .split(' ')
      .map((word) => `CAP_${word}`)
      .join(' '),
    why,
  ),
];

/** The directories of sites outside homes, for web servers and FTP: panels' and Debian's. */
const siteDirectories = ['/var/www', '/srv'];

const secrets = (facts: ServiceFacts, withRoot: boolean): Line =>
  hidden(
    [...(withRoot ? ['/root'] : []), '/etc/ssh', ...facts.ownDirectories],
    'keys of the host, and what Bulkhead keeps',
  );

/** Returns the lines of a daemon that serves tenants' files. `writes`: why it has to write there too. */
export function tenantFiles(facts: ServiceFacts, writes: string | undefined): readonly Line[] {
  if (writes === undefined)
    return [
      line('ProtectHome', 'read-only', 'homes are read, and written by their owners alone'),
      secrets(facts, true),
    ];
  const directories = [...new Set([...facts.homes, ...siteDirectories])];
  return [line('ProtectHome', 'no', writes), writable(directories, writes), secrets(facts, true)];
}

/** Returns the lines of a daemon that delivers mail into homes, and into the spool. */
export const mailFiles = (facts: ServiceFacts): readonly Line[] => [
  line('ProtectHome', 'no', 'mail is delivered into homes'),
  writable(
    [...facts.homes, '/var/mail', '/var/spool/mail', '/var/vmail', '/srv/vmail'],
    'mailboxes of tenants',
  ),
  secrets(facts, true),
];

/**
 * Returns the lines of a daemon that has nothing to do with homes. `uses`: the daemon's own paths, which must not be
 * hidden.
 */
export function noHomes(facts: ServiceFacts, uses: readonly string[]): readonly Line[] {
  const isUsed = (directory: string) =>
    [...uses, ...facts.written].some((path) => `${path}/`.startsWith(`${directory}/`));
  const elsewhere = facts.homes.filter((each) => !/^\/home(\/|$)/.test(each) && !isUsed(each));
  const keepsHome = isUsed('/home') || isUsed('/root');
  return [
    keepsHome
      ? line('ProtectHome', 'read-only', 'files of its own are in a home')
      : line('ProtectHome', 'yes', 'homes are not there: it has no business in them'),
    ...(elsewhere.length === 0 ? [] : [hidden(elsewhere, 'homes of tenants')]),
    secrets(facts, false),
  ];
}

/** Returns the lines of a service that sends mail through the host's own MTA, beyond its own work. */
export function mailer({ mailer }: ServiceFacts): readonly Line[] {
  if (mailer === 'exim4')
    return [
      writable(
        ['/var/spool/exim4', '/var/log/exim4', '/var/mail', '/var/spool/mail'],
        'sendmail is Exim, which takes mail and delivers it from here',
      ),
    ];
  if (mailer === 'postfix')
    return [
      writable(
        ['/var/spool/postfix/maildrop', '/var/spool/postfix/public'],
        'sendmail is that of Postfix, which leaves mail there',
      ),
    ];
  return [];
}

/** Directories with too much in them to make all of it writable for one file. */
const wide = /^(\/|\/(etc|usr|boot|run|var|opt|root|home|srv)(\/(lib|run|local))?)$/;
const own = ['/dev', '/proc', '/tmp', '/var/tmp'];

/** Returns lines for files that it has open for writing now, if the lines so far do not let it write. */
export function learned(facts: ServiceFacts, lines: readonly Line[]): readonly Line[] {
  const known = lines
    .filter(({ key }) => key === 'ReadWritePaths')
    .flatMap(({ value }) => value.split(' '))
    .map((word) => word.replace(/^-/, ''));
  const isKnown = (path: string) =>
    known.includes(path) || [...known, ...own].some((each) => path.startsWith(`${each}/`));
  const needed = facts.written
    .filter((path) => !isKnown(path))
    .map((path) => whatToOpen(path, facts.homes));
  return [...new Set(needed)]
    .toSorted()
    .map((path) => writable([path], 'it had files open for writing there'));
}

/**
 * Returns the path to open. The tenant can put a link in the place of a directory in a home, so all homes are opened,
 * and nothing that a path leads to.
 */
function whatToOpen(file: string, homes: readonly string[]): string {
  const home = homes.find((each) => file.startsWith(`${each}/`));
  const directory = file.slice(0, file.lastIndexOf('/')) || '/';
  return home ?? (wide.test(directory) ? file : directory);
}
