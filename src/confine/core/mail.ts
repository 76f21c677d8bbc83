/** Exim, Postfix and Dovecot. */
import {
  calls,
  boundingSetLines,
  common,
  families,
  mailer,
  mailFiles,
  noNewPrivileges,
} from './common.ts';
import { line, writable } from './line.ts';
import type { DaemonProfile } from './profile.ts';

const limits = 'it sets limits and priorities of its processes';

export const exim: DaemonProfile = {
  service: 'exim4',
  aliases: ['exim'],
  does: 'mail server',
  program: '/usr/sbin/exim4',
  check: ['-bV'],
  // It executes itself to become root, so that programs with a set-id bit must work.
  lines: (facts) => [
    ...common,
    writable(['/var/spool/exim4', '/var/lib/exim4'], 'the queue, and its generated configuration'),
    writable(['/var/log/exim4'], 'logs'),
    writable(['/run/exim4'], 'its process id'),
    ...mailFiles(facts),
    ...boundingSetLines(
      'NET_BIND_SERVICE SETUID SETGID DAC_OVERRIDE CHOWN FOWNER KILL SYS_RESOURCE',
      'port 25; deliveries as each recipient',
    ),
    ...families(true),
    ...calls(['setrlimit prlimit64 setpriority', limits]),
  ],
  breaks: ['commands of .forward and aliases that write elsewhere than into homes and mailboxes'],
};

export const postfix: DaemonProfile = {
  service: 'postfix',
  aliases: [],
  does: 'mail server',
  program: '/usr/sbin/postfix',
  check: ['check'],
  // Commands of .forward send mail by postdrop, which has a set-id bit.
  lines: (facts) => [
    ...common,
    writable(['/var/spool/postfix', '/var/lib/postfix'], 'the queue, its chroot, its locks'),
    writable(['/var/log'], 'maillog_file, where it is set'),
    ...mailFiles(facts),
    ...boundingSetLines(
      'NET_BIND_SERVICE SETUID SETGID SYS_CHROOT DAC_OVERRIDE DAC_READ_SEARCH CHOWN FOWNER KILL',
      'port 25; deliveries as each recipient; services in a chroot',
    ),
    ...families(true),
    ...calls(['setrlimit prlimit64 setpriority chroot', limits]),
  ],
  breaks: ['commands of .forward and aliases that write elsewhere than into homes and mailboxes'],
};

export const dovecot: DaemonProfile = {
  service: 'dovecot',
  aliases: [],
  does: 'mailboxes by IMAP and POP3',
  program: '/usr/bin/doveconf',
  check: ['-n'],
  lines: (facts) => {
    const sends = facts.sieve && facts.mailer !== undefined;
    return [
      ...(sends ? [] : [noNewPrivileges]),
      ...common,
      line('RuntimeDirectory', 'dovecot', '/run is read-only for it, this is not'),
      line('RuntimeDirectoryPreserve', 'yes', 'as without the sandbox', 235),
      writable(['/var/lib/dovecot'], 'its own data'),
      writable(['/var/log'], 'log_path, where it is set'),
      ...(facts.mailer === 'postfix'
        ? [writable(['/var/spool/postfix/private'], 'its sockets for Postfix')]
        : []),
      ...(sends ? mailer(facts) : []),
      ...mailFiles(facts),
      ...boundingSetLines(
        'NET_BIND_SERVICE SETUID SETGID SYS_CHROOT DAC_OVERRIDE CHOWN KILL FOWNER SYS_RESOURCE AUDIT_WRITE',
        'ports; mailboxes as each owner; logins in a chroot, by PAM',
      ),
      ...families(true),
      ...calls([
        'setrlimit prlimit64 setpriority chroot',
        'limits of processes; logins in a chroot',
      ]),
    ];
  },
  breaks: ['mailboxes elsewhere than in homes, /var/mail and /var/vmail'],
};
