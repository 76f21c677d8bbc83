/** nginx, Apache and PHP-FPM. */
import {
  calls,
  boundingSetLines,
  common,
  families,
  mailer,
  noNewPrivileges,
  noWritableCode,
  tenantFiles,
} from './common.ts';
import { line, prepare, writable, type ServiceFacts, type Line } from './line.ts';
import type { DaemonProfile } from './profile.ts';

const masterAndWorkers =
  'ports below 1024; workers of another user, which it signals; logs that belong to them';

export const nginx: DaemonProfile = {
  service: 'nginx',
  aliases: [],
  does: 'web server',
  program: '/usr/sbin/nginx',
  check: ['-t', '-q'],
  lines: (facts) => [
    noNewPrivileges,
    ...common,
    ...(facts.nginxModules.some((name) => /lua|perl|js|passenger/.test(name))
      ? []
      : [noWritableCode]),
    prepare('/usr/bin/touch /run/nginx.pid', '/run is read-only for it, this file is not'),
    writable(['/run/nginx.pid'], 'its process id'),
    writable(['/var/log/nginx'], 'logs'),
    writable(['/var/lib/nginx', '/var/cache/nginx'], 'bodies of requests, caches'),
    ...tenantFiles(facts, undefined),
    ...boundingSetLines('NET_BIND_SERVICE SETUID SETGID CHOWN KILL DAC_OVERRIDE', masterAndWorkers),
    ...families(true),
    ...calls([
      'setrlimit prlimit64 setpriority sched_setaffinity',
      'worker_rlimit_nofile, worker_priority, worker_cpu_affinity',
    ]),
  ],
  breaks: [
    'the exchange of a running nginx by SIGUSR2; packages restart it instead',
    'WebDAV and other modules that write into sites',
  ],
};

/** Modules with which Apache, or a program that it runs as its own user, writes into sites. */
const writingModules = ['dav_fs', 'mpm_itk', 'cgi', 'cgid', 'fcgid', 'ruid2', 'passenger'];

function apacheWrites({ modules }: ServiceFacts['apache']): string | undefined {
  const found = [...modules].find(
    (name) => writingModules.includes(name) || /^php[\d.]*$/.test(name),
  );
  return found === undefined ? undefined : `mod_${found} is enabled, and sites write their files`;
}

export const apache: DaemonProfile = {
  service: 'apache2',
  aliases: ['apache', 'httpd'],
  does: 'web server',
  program: '/usr/sbin/apachectl',
  check: ['configtest'],
  lines: (facts) => {
    const { user, modules } = facts.apache;
    const writes = apacheWrites(facts.apache);
    // suexec has a set-id bit, and PHP inside Apache sends mail.
    const needsSetId = modules.has('suexec') || (writes !== undefined && facts.mailer);
    return [
      ...(needsSetId ? [] : [noNewPrivileges]),
      ...common,
      prepare('/usr/bin/mkdir -p /run/apache2', '/run is read-only for it, this is not'),
      prepare(`/usr/bin/install -d -o ${user} /run/apache2/socks /run/lock/apache2`, 'the same'),
      writable(['/run/apache2', '/run/lock/apache2'], 'its process id, locks, sockets of modules'),
      writable(['/var/log/apache2'], 'logs'),
      writable(['/var/cache/apache2', '/var/lib/apache2'], 'caches and data of modules'),
      ...(writes === undefined ? [] : [writable(['/var/lib/php'], 'sessions of PHP')]),
      ...(writes === undefined ? [] : mailer(facts)),
      ...tenantFiles(facts, writes),
      ...boundingSetLines(
        `NET_BIND_SERVICE SETUID SETGID CHOWN KILL DAC_OVERRIDE${needsSetId ? ' FOWNER' : ''}`,
        masterAndWorkers,
      ),
      ...families(true),
      ...calls(['setrlimit prlimit64 setpriority', 'RLimitCPU and the like; ulimit of apachectl']),
    ];
  },
  breaks: ['programs with a set-id bit, unless suexec or a module that runs PHP is enabled'],
};

export const fpm: DaemonProfile = {
  service: 'php-fpm',
  aliases: [],
  does: 'runs PHP of sites',
  program: '/usr/sbin/php-fpm',
  check: ['-t'],
  lines: (facts) => [
    ...(facts.mailer === undefined ? [noNewPrivileges] : []),
    ...common,
    writable(['/run/php'], 'sockets of pools'),
    writable(['/var/log'], 'logs of pools'),
    writable(['/var/lib/php'], 'sessions'),
    ...mailer(facts),
    ...tenantFiles(facts, 'sites write their own files'),
    ...boundingSetLines(
      [
        'NET_BIND_SERVICE SETUID SETGID CHOWN KILL DAC_OVERRIDE',
        ...(facts.chrootPools ? ['SYS_CHROOT'] : []),
        ...(facts.mailer === 'exim4' ? ['FOWNER'] : []),
      ].join(' '),
      'pools of other users, which it signals; sockets and logs that belong to them',
    ),
    ...families(true),
    ...calls([
      `setrlimit prlimit64 setpriority${facts.chrootPools ? ' chroot' : ''}`,
      'rlimit_files and process.priority of pools',
    ]),
  ],
  breaks: [
    'request_slowlog_timeout, which traces processes of pools',
    'files that sites exchange with other programs by /tmp',
  ],
};

/**
 * Returns the command that links the newest version; a helper that writes to /etc makes the link.
 */
export const socketLink = (version: string): Line =>
  line(
    'ExecStartPost',
    `-+/usr/lib/php/php-fpm-socket-helper install /run/php/php-fpm.sock /etc/php/${version}/fpm/pool.d/www.conf ${version.replace('.', '')}`,
    'the link php-fpm.sock, which the unit of the package could not make in the sandbox',
  );
