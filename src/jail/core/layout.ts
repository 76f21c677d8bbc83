/**
 * What is in a jail: the tables that the builder builds from and `jail show` prints.
 *
 *     /            skeleton of the profile, read-only      shared by all tenants of the profile
 *     /usr /opt    the host's, read-only                   shared
 *     /etc         copies of what programs read            shared
 *     /dev /proc   few devices; own processes alone        shared
 *     /.bulkhead   passwd, group, shadow, gshadow          the tenant's own, as all that follows
 *     /home        nothing but the home                    or wherever the home is
 *     /tmp /var/tmp   on the file system of the home
 *     /dev/shm     in memory
 *     /dev/pts     terminals that are opened inside
 *     /dev/log     the host's socket
 */
import type { Account } from '../../policy/policy.ts';
import { checkHome, commandsOf, isAt, type Jail, type JailCommand } from '../../policy/jail.ts';
import { words } from './words.ts';
import { ok, type Result } from '../../base/result.ts';

/** The source of the mount that is the root of a jail; bpf/jails.bpf.c has the same. */
export const jailSource = 'bulkhead-jail';

/** Directories of the skeleton, those above others first. */
export const directories: readonly string[] = words(`
  .bulkhead boot dev etc home media mnt opt proc root run srv sys tmp usr var
  run/bulkhead run/lock run/systemd var/cache var/lib var/lib/php var/log var/mail var/spool var/tmp
`);

export const links: Readonly<Record<string, string>> = {
  'var/run': '../run',
  'var/lock': '../run/lock',
  // Sessions of PHP, whose directory is the host's for all: here they are beside other files of the tenant alone.
  'var/lib/php/sessions': '../../../tmp',
};

/**
 * Sockets of the host that programs speak to, under the same path. That of systemd for services is not among them, since
 * process 1 reads it before all else: pam/bulkhead-notify.c passes on what a service says there.
 */
export const hostSockets = ['/dev/log'] as const;

/** Directories of the host's root that are links into /usr, or directories where /usr is not merged. */
export const libraryNames = ['bin', 'sbin', 'lib', 'lib32', 'lib64', 'libx32'] as const;

/** Where the filter lies inside. */
export const filterPath = '/run/bulkhead/seccomp';
/** And the program that applies Landlock. */
export const landlockPath = '/run/bulkhead/landlock';

/** Of the host, whole and read-only. */
export const sharedTrees = ['/usr', '/opt'] as const;

/**
 * What of /etc programs read. Copies, since a file that is mounted goes stale when another is renamed over it; and
 * named one by one, since what is not named, such as the configuration of servers, must not be seen.
 */
export const etcNames: readonly string[] = words(`
  alternatives bash.bashrc bash_completion.d ca-certificates ca-certificates.conf
  debian_version default/locale environment fonts gai.conf gitconfig host.conf
  hostname hosts inputrc java-21-openjdk java-17-openjdk ld.so.cache ld.so.conf
  ld.so.conf.d locale.alias localtime login.defs lsb-release magic mailname
  manpath.config mime.types motd nanorc networks nsswitch.conf os-release perl php
  profile profile.d protocols python3 resolv.conf rpc security/limits.conf
  security/limits.d security/pam_env.conf services shells skel ssh/ssh_config
  ssh/ssh_config.d ssh/ssh_known_hosts ssl/certs ssl/openssl.cnf terminfo timezone vim
  wgetrc
`);
/** Not copied wherever it is in them: pools of php-fpm name other tenants. */
export const etcExcept: ReadonlySet<string> = new Set(['pool.d', 'private']);

/** Files of /etc that each tenant has of its own. */
export const accountFiles = ['passwd', 'group', 'shadow', 'gshadow'] as const;

/** Source: Documentation/admin-guide/devices.txt. */
export const devices: readonly (readonly [name: string, major: number, minor: number])[] = [
  ['null', 1, 3],
  ['zero', 1, 5],
  ['full', 1, 7],
  ['random', 1, 8],
  ['urandom', 1, 9],
  ['tty', 5, 0],
  // A node: what devpts has under this name is closed to others in some distributions.
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
 * Each jail has terminals of its own, since the host has few for all. Of an instance that is not the host's own the kernel
 * keeps `kernel.pty.reserve` of them back, however many jails there are. Source: Documentation/filesystems/devpts.rst.
 */
export const terminals = { mode: '0620', ptmxmode: '0666', max: '64' } as const;

/** `invisible` is a setting of this mount alone since Linux 5.8. */
export const processOptions = ({ profile }: Jail): Readonly<Record<string, string>> => ({
  hidepid: 'invisible',
  ...(profile === 'strict' ? { subset: 'pid' } : {}),
});

/** The directory of the broker's socket inside, and what asks it; that is mounted over the programs themselves. */
export const brokerDirectory = '/run/bulkhead/broker';
const programOf = {
  sendmail: '/usr/sbin/sendmail',
  crontab: '/usr/bin/crontab',
  passwd: '/usr/bin/passwd',
} as const satisfies Record<JailCommand, string>;
export const brokeredPrograms = Object.values(programOf);

/** In memory, counted to whoever writes. */
export const sharedMemory = { size: '64m', nr_inodes: '4096' } as const;

const directoryOf = (path: string) => path.slice(0, path.lastIndexOf('/')) || '/';

/**
 * The directory above the home that in the jail has nothing else: the first one that is not of the skeleton, which is
 * the same for all tenants and must not have their names in it.
 */
export function homeBase(home: string): Result<string> {
  const checked = checkHome(home);
  if (!checked.ok) return checked;
  const names = home.split('/').slice(1, -1);
  const above = names.map((_, index) => `/${names.slice(0, index + 1).join('/')}`);
  return ok(above.find((each) => !isAboveOthers(each)) ?? directoryOf(home));
}

/** Whether the skeleton has directories in it. */
const isAboveOthers = (path: string) =>
  directories.some((each) => `/${each}`.startsWith(`${path}/`));

/** Why a path of the policy cannot be in this tenant's jail. */
export function pathObstacle(at: string, home: string | undefined): string | undefined {
  if (home === undefined) return undefined;
  if (isAt(at, home)) return `${at} is in its home`;
  const base = directoryOf(home);
  return isAt(base, at) ? `the homes of tenants are in ${at}` : undefined;
}

/** One row of `jail show`. */
export interface Part {
  readonly at: string;
  readonly access: 'read' | 'write';
  readonly what: string;
}

export function partsOf(jail: Jail, account: Account | undefined): readonly Part[] {
  const own = (at: string, what: string): Part => ({ at, access: 'write', what });
  const read = (at: string, what: string): Part => ({ at, access: 'read', what });
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
    ...commandsOf(jail).map((name) => read(programOf[name], 'runs outside, by the broker')),
    ...jail.paths.map(({ at, access }): Part => ({ at, access, what: 'named in the policy' })),
  ];
}
