/**
 * The contents of a jail: the tables that the builder builds from and `jail show` prints.
 *
 *     /            skeleton of the profile, read-only      shared by all tenants of the profile
 *     /usr /opt    the host's, read-only                   shared
 *     /etc         copies of files that programs read      shared
 *     /dev /proc   few devices; only own processes         shared
 *     /.bulkhead   passwd, group                           the tenant's own, as all that follows
 *     /home        nothing but the home                    or wherever the home is
 *     /tmp /var/tmp   on the file system of the home
 *     /dev/shm     in memory
 *     /dev/pts     terminals that are opened inside
 *     /dev/log     the host's socket
 */
import type { Account } from '../../policy/policy.ts';
import { checkHome, commandsOf, isAt, type Jail, type JailCommand } from '../../policy/jail.ts';
import { databaseSocketsDirectory } from '../../policy/databases/own-database.ts';
import { splitWords } from './split-words.ts';
import type { Cause } from '../../../packages/base/problem.ts';
import { ok, type Result } from '../../../packages/base/result.ts';

/** The source of the mount that is the root of a jail; bpf/jail.bpf.c has the same. */
export const jailSource = 'bulkhead-jail';

/** Directories of the skeleton, parents first. */
export const directories: readonly string[] = splitWords(`
  .bulkhead boot dev etc home media mnt opt proc root run srv sys tmp usr var
  run/bulkhead run/lock run/systemd var/cache var/lib var/lib/php var/log var/mail var/spool var/tmp
`);

export const links: Readonly<Record<string, string>> = {
  'var/run': '../run',
  'var/lock': '../run/lock',
  // PHP sessions. The host has one directory for all; here they are only next to the tenant's other files.
  'var/lib/php/sessions': '../../../tmp',
};

/**
 * The host's sockets that programs use, at the same path. systemd's notification socket is not among them, since
 * process 1 reads it before all else: entry/notify.c passes messages of services on.
 */
export const hostSockets = ['/dev/log'] as const;

/** Directories of the host's root: links into /usr, or real directories if /usr is not merged. */
export const libraryNames = ['bin', 'sbin', 'lib', 'lib32', 'lib64', 'libx32'] as const;

/** The path of the seccomp filter in the jail. */
export const filterPath = '/run/bulkhead/seccomp';

/** The host's trees that are visible whole and read-only. */
export const sharedTrees = ['/usr', '/opt'] as const;

/**
 * The names in /etc that programs read. They are copied, since a mounted file goes stale when another is renamed over
 * it. They are named one by one, since everything else, such as the configuration of servers, must not be seen.
 */
export const etcNames: readonly string[] = splitWords(`
  alternatives bash.bashrc bash_completion.d ca-certificates ca-certificates.conf
  debian_version default/locale environment fonts gai.conf gitconfig host.conf
  hostname hosts inputrc java-21-openjdk java-17-openjdk ld.so.cache ld.so.conf
  ld.so.conf.d locale.alias localtime login.defs lsb-release magic mailname
  manpath.config mime.types motd nanorc networks nsswitch.conf opt/remi opt/rh os-release
  perl php php.d php.ini profile profile.d protocols python3 resolv.conf rpc security/limits.conf
  security/limits.d security/pam_env.conf services shells skel ssh/ssh_config
  ssh/ssh_config.d ssh/ssh_known_hosts ssl/certs ssl/openssl.cnf terminfo timezone vim
  wgetrc
`);
/** Names that are copied nowhere below these: php-fpm pools name other tenants. */
export const etcExcept: ReadonlySet<string> = new Set(['pool.d', 'php-fpm.d', 'private']);

/** Files of /etc that each tenant has its own version of. */
export const accountFiles = ['passwd', 'group'] as const;
/** Files of /etc that are empty in all jails. */
export const emptyFiles = ['shadow', 'gshadow'] as const;

/** Device nodes. Source: Documentation/admin-guide/devices.txt. */
export const devices: readonly (readonly [name: string, major: number, minor: number])[] = [
  ['null', 1, 3],
  ['zero', 1, 5],
  ['full', 1, 7],
  ['random', 1, 8],
  ['urandom', 1, 9],
  ['tty', 5, 0],
  // This is a node, since some distributions close the one in devpts to others.
  ['ptmx', 5, 2],
];

export const deviceLinks: Readonly<Record<string, string>> = {
  fd: '/proc/self/fd',
  stdin: '/proc/self/fd/0',
  stdout: '/proc/self/fd/1',
  stderr: '/proc/self/fd/2',
  // A terminal that was opened outside, as by root's su, has no other name here: ttyname(3) looks through this directory,
  // past the three names above.
  'tty-stdin': '/proc/self/fd/0',
  'tty-stdout': '/proc/self/fd/1',
  'tty-stderr': '/proc/self/fd/2',
};

/**
 * Options of devpts. Each jail has terminals of its own, since the host has few for all. The kernel keeps
 * `kernel.pty.reserve` of them for the host's own devpts, however many jails there are. Source:
 * Documentation/filesystems/devpts.rst.
 */
export const terminals = { mode: '0620', ptmxmode: '0666', max: '64' } as const;

/** Returns the options of /proc. Since Linux 5.8, `invisible` applies only to this mount. */
export const processOptions = ({ profile }: Jail): Readonly<Record<string, string>> => ({
  hidepid: 'invisible',
  ...(profile === 'strict' ? { subset: 'pid' } : {}),
});

/** The directory inside with the broker's socket. Its client is mounted over the programs below. */
export const brokerDirectory = '/run/bulkhead/broker';
/** The directory inside with the agent's socket, and the name under which clients look for it. */
export const agentDirectory = '/run/bulkhead/agent';
export const agentSocket = '/run/bulkhead/control.sock';
/** The directory inside with the sockets of tenants' own database servers. */
export const ownDatabasesDirectory = databaseSocketsDirectory('bulkhead');
const programOf = {
  sendmail: '/usr/sbin/sendmail',
  crontab: '/usr/bin/crontab',
  passwd: '/usr/bin/passwd',
} as const satisfies Record<JailCommand, string>;
export const brokeredPrograms = Object.values(programOf);

/** Limits of /dev/shm, which is in memory and charged to the writer. */
export const sharedMemory = { size: '64m', nr_inodes: '4096' } as const;

const directoryOf = (path: string) => path.slice(0, path.lastIndexOf('/')) || '/';

/**
 * Returns the directory above the home that contains nothing else in the jail. It is the first one that is not part of
 * the skeleton, which is the same for all tenants and must not contain their names.
 */
export function homeBase(home: string): Result<string, Cause> {
  const checked = checkHome(home);
  if (!checked.ok) return checked;
  const names = home.split('/').slice(1, -1);
  const above = names.map((_, index) => `/${names.slice(0, index + 1).join('/')}`);
  return ok(above.find((each) => !isAboveOthers(each)) ?? directoryOf(home));
}

/** Whether the skeleton has directories below this path. */
const isAboveOthers = (path: string) =>
  directories.some((each) => `/${each}`.startsWith(`${path}/`));

/** Returns why a path of the policy cannot be in this tenant's jail, if it cannot. */
export function pathBlocker(at: string, home: string | undefined): Cause | undefined {
  if (home === undefined) return undefined;
  if (isAt(at, home)) return { reason: `${at} is in its home` };
  const base = directoryOf(home);
  return isAt(base, at) ? { reason: `the homes of tenants are in ${at}` } : undefined;
}

/** A row of `jail show`. */
export interface JailPart {
  /** The path inside the jail. */
  readonly at: string;
  readonly access: 'read' | 'write';
  /** A description for people. */
  readonly what: string;
}

export function partsOf(jail: Jail, account: Account | undefined): readonly JailPart[] {
  const own = (at: string, what: string): JailPart => ({ at, access: 'write', what });
  const read = (at: string, what: string): JailPart => ({ at, access: 'read', what });
  const home = account?.home;
  const base = home === undefined ? undefined : homeBase(home);
  return [
    read('/', 'empty directories'),
    ...sharedTrees.map((tree) => read(tree, "the host's")),
    read('/etc', `copies of ${etcNames.length} files and directories of the host`),
    read('/etc/passwd', 'the tenant and few users of the system; group, shadow and gshadow alike'),
    read('/dev', [...devices.map(([name]) => name), 'log'].join(', ')),
    read('/proc', jail.profile === 'strict' ? 'own processes, nothing else' : 'own processes'),
    ...(home === undefined || base?.ok !== true
      ? []
      : [own(home, jail.home === undefined ? 'the home' : 'the directory of the site')]),
    own('/tmp', 'its own, on the file system of the home'),
    own('/var/tmp', 'its own, on the file system of the home'),
    own('/var/lib/php/sessions', 'another name of /tmp'),
    own('/dev/pts', `its own terminals, ${terminals.max} at most`),
    own('/dev/shm', `its own, in memory, ${sharedMemory.size.replace('m', ' MiB')} at most`),
    ...(jail.home === undefined
      ? [
          read(agentSocket, "the agent's API: reads about the tenant, defines its applications"),
          read(ownDatabasesDirectory, "the socket of the tenant's own database server"),
        ]
      : []),
    ...commandsOf(jail).map((name) => read(programOf[name], 'runs outside, by the broker')),
    ...jail.paths.map(({ at, access }): JailPart => ({ at, access, what: 'named in the policy' })),
  ];
}
