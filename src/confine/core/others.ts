/** MariaDB, BIND, and the FTP servers. */
import {
  calls,
  boundingSetLines,
  common,
  families,
  noHomes,
  noNewPrivileges,
  noWritableCode,
  tenantFiles,
} from './common.ts';
import { line, prepare, writable } from './line.ts';
import type { DaemonProfile } from './profile.ts';

const databases = ['/var/lib/mysql'];

export const mariadb: DaemonProfile = {
  service: 'mariadb',
  aliases: ['mysql', 'mysqld'],
  does: 'database',
  program: '/usr/sbin/mariadbd',
  lines: (facts) => [
    noNewPrivileges,
    ...common,
    noWritableCode,
    writable(databases, 'databases'),
    writable(['/run/mysqld'], 'its socket, its process id'),
    writable(['/var/log/mysql'], 'logs'),
    ...noHomes(facts, databases),
    ...boundingSetLines('IPC_LOCK', 'memlock; it has its own user from the beginning'),
    ...families(false),
    ...calls([
      'setpriority sched_setaffinity sched_setscheduler set_mempolicy mbind',
      'memory beside processors, and priorities of its threads',
    ]),
  ],
  breaks: [
    'the plugin auth_pam, whose helper has a set-id bit',
    'SELECT INTO OUTFILE to other directories than those of databases',
  ],
};

const zones = ['/var/lib/bind', '/var/cache/bind'];

export const namedProfile: DaemonProfile = {
  service: 'named',
  aliases: ['bind9', 'bind'],
  does: 'name server',
  program: '/usr/bin/named-checkconf',
  check: [],
  lines: (facts) => [
    noNewPrivileges,
    ...common,
    noWritableCode,
    line('ProcSubset', 'pid', 'of /proc only processes, its own', 247),
    writable(zones, 'zones that it transfers, signs or updates'),
    writable(['/run/named'], 'its process id and session key'),
    writable(['/var/log/named', '/var/log/bind'], 'logs'),
    ...noHomes(facts, zones),
    ...boundingSetLines(
      'NET_BIND_SERVICE SETUID SETGID SYS_CHROOT DAC_READ_SEARCH SYS_RESOURCE CHOWN',
      'port 53; the user bind; more files than others',
    ),
    ...families(true),
    ...calls(['setrlimit prlimit64 sched_setaffinity chroot', 'limits, processors, and -t']),
  ],
  breaks: ['zones in /etc/bind that it should write itself'],
};

const ftpCapabilities =
  'NET_BIND_SERVICE SETUID SETGID SYS_CHROOT DAC_OVERRIDE DAC_READ_SEARCH CHOWN AUDIT_WRITE SYS_NICE';
const ftpCalls = ['setrlimit prlimit64 setpriority chroot', 'sessions in a chroot'] as const;
const sessions = 'ports; sessions as each tenant, in a chroot; logins by PAM';

export const vsftpd: DaemonProfile = {
  service: 'vsftpd',
  aliases: [],
  does: 'FTP server',
  program: '/usr/sbin/vsftpd',
  lines: (facts) => [
    noNewPrivileges,
    ...common,
    writable(['/var/log'], 'logs'),
    ...tenantFiles(facts, 'tenants upload files'),
    ...boundingSetLines(ftpCapabilities, sessions),
    ...families(true),
    ...calls(ftpCalls),
  ],
  breaks: ['isolate=YES and isolate_network=YES, which make namespaces'],
};

const inRun = '/run is read-only for it, these are not';
/** The daemon's files in /run itself, where it may create none. */
const proftpdFiles = ['pid', 'delay', 'scoreboard', 'scoreboard.lck'].map(
  (each) => `/run/proftpd.${each}`,
);

export const proftpd: DaemonProfile = {
  service: 'proftpd',
  aliases: [],
  does: 'FTP server',
  program: '/usr/sbin/proftpd',
  check: ['--configtest'],
  lines: (facts) => [
    noNewPrivileges,
    ...common,
    prepare(`/usr/bin/touch ${proftpdFiles.join(' ')}`, inRun),
    prepare('/usr/bin/mkdir -p /run/proftpd', inRun),
    writable(
      [...proftpdFiles, '/run/proftpd'],
      'its process id, times of answers, who is logged in',
    ),
    writable(['/var/log/proftpd'], 'logs'),
    ...tenantFiles(facts, 'tenants upload files'),
    ...boundingSetLines(`${ftpCapabilities} KILL FOWNER`, sessions),
    ...families(true),
    ...calls(ftpCalls),
  ],
  breaks: ['uploads elsewhere than into homes, /srv and /var/www'],
};
