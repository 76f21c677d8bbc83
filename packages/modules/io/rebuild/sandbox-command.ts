/**
 * The command line that makes a jail: programs that replace each other, down to bubblewrap and what
 * runs inside.
 */
import { randomInt } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { linkAt } from '../../../base/io/read.ts';

/** A cgroup that bounds all processes of a build together. */
export interface JailCgroup extends Disposable {
  /** Files that move a process: one that writes 0 to each is inside, with everything that it starts. */
  readonly procsFiles: readonly string[];
  /** Sends SIGKILL to all processes inside. */
  readonly kill: () => void;
}

/**
 * A file or directory of the host that can be read in the jail at `to`, or an empty directory that
 * holds other mounts. A link stays a link. Later mounts cover earlier ones.
 */
export type SandboxMount =
  | { readonly from: string | undefined; readonly to: string }
  /** A link, to a path in the jail. */
  | { readonly link: string; readonly to: string };

export interface JailLimits {
  readonly wallSeconds: number;
  /** CPU time of each process. */
  readonly cpuSeconds: number;
  readonly addressSpaceBytes: number;
  readonly fileBytes: number;
  /**
   * Memory of all processes together, files in memory included; never more than half of the host's.
   */
  readonly memoryBytes: number;
  readonly processes: number;
  /** The size of each writable directory. */
  readonly writableBytes: number;
  readonly outputBytes: number;
  readonly resultBytes: number;
}

export interface SandboxCommand {
  readonly command: readonly string[];
  /** The command's directory: empty, in memory, and besides /tmp the only writable place. */
  readonly writable: string;
  readonly mounts?: readonly SandboxMount[];
  readonly environment?: Readonly<Record<string, string>>;
}

/** Returns the programs that make the jail, each replacing the one before it, and the command. */
export function jailCommand(
  options: SandboxCommand,
  limits: JailLimits,
  cgroup: JailCgroup | undefined,
): readonly string[] {
  const asRoot = process.getuid?.() === 0;
  const mounts = options.mounts ?? [];
  const user = String(asRoot ? unusedUser() : process.getuid?.());
  const become = ['--reuid', user, '--regid', user, '--clear-groups'];
  return [
    cgroup === undefined ? [] : enter(cgroup),
    asRoot ? withinReach(mounts) : [],
    // Under memory pressure the kernel kills the jail before anything else.
    ['choom', '-n', '1000', '--', 'nice', '-n', '10'],
    ['setpriv', ...(asRoot ? become : []), '--no-new-privs', '--'],
    ['prlimit', `--cpu=${limits.cpuSeconds}`, `--as=${limits.addressSpaceBytes}`],
    [`--fsize=${limits.fileBytes}`, `--nproc=${limits.processes}`, '--nofile=1024', '--core=0'],
    ['--memlock=0', '--', 'bwrap', ...namespaceArguments],
    mountArguments(options, limits, asRoot ? reach(mounts) : mounts),
    ['--clearenv', ...environmentArguments(options), '--chdir', options.writable, '--'],
    ['sh', '-c', startScript, 'sh'],
    options.command,
  ].flat();
}

/** The script that starts the command: a byte before the result shows that the jail was made. */
const startScript = `printf s >&3; exec "$@"`;

/** The script that enters the cgroup; a written zero means the process that writes. */
const enterScript = `
set -e
while [ "$1" != -- ]; do
  echo 0 >"$1"
  shift
done
shift
exec "$@"
`;

const enter = ({ procsFiles }: JailCgroup): readonly string[] => [
  'sh',
  '-c',
  enterScript,
  'sh',
  ...procsFiles,
  '--',
];

/**
 * The script that makes sources reachable. Root's directories may lie where only root can go, such
 * as /root, but bubblewrap runs as another user. So each is mounted again below /sys, which holds
 * no source, visible only to the jail.
 */
const reachScript = `
set -e
mount -t tmpfs -o mode=755 none /sys
while [ "$1" != -- ]; do
  if [ -d "$2" ]; then mkdir "$1"; else : >"$1"; fi
  mount --bind -- "$2" "$1"
  shift 2
done
shift
exec "$@"
`;

function withinReach(mounts: readonly SandboxMount[]): readonly string[] {
  const pairs = reach(mounts).flatMap((mount, at) => {
    const [from, original] = [fromOf(mount), fromOf(mounts[at]!)];
    return from === undefined || from === original || original === undefined
      ? []
      : [from, original];
  });
  const shell = ['sh', '-c', reachScript, 'sh', ...pairs, '--'];
  return ['unshare', '--mount', '--propagation', 'private', '--', ...shell];
}

/** Returns mounts with reachable sources; links are made anew and need none. */
const reach = (mounts: readonly SandboxMount[]): readonly SandboxMount[] =>
  mounts.map((mount, at) => {
    const from = fromOf(mount);
    return from === undefined || linkAt(from) !== '' ? mount : { from: `/sys/${at}`, to: mount.to };
  });

const fromOf = (mount: SandboxMount): string | undefined =>
  'link' in mount ? undefined : mount.from;

const namespaceArguments: readonly string[] = [
  ['--unshare-all', '--unshare-user', '--disable-userns', '--uid', '65534', '--gid', '65534'],
  ['--hostname', 'jail', '--new-session', '--die-with-parent', '--cap-drop', 'ALL'],
].flat();

/**
 * Returns a user id that owns no file and no process: from the range that systemd gives to running
 * services, and that no account has.
 */
function unusedUser(): number {
  const accounts = new Set(
    readFileSync('/etc/passwd', 'utf8')
      .split('\n')
      .map((line) => Number(line.split(':')[2])),
  );
  for (let attempt = 0; attempt < 100; attempt++) {
    const user = randomInt(61184, 65520);
    if (!accounts.has(user)) return user;
  }
  return 65534;
}

function environmentArguments({ environment = {}, writable }: SandboxCommand): readonly string[] {
  const all = {
    PATH: '/usr/bin:/bin:/usr/sbin:/sbin',
    HOME: writable,
    LANG: 'C.UTF-8',
    TZ: 'UTC',
    ...environment,
  };
  return Object.entries(all).flatMap(([name, value]) => ['--setenv', name, value]);
}

/**
 * Entries of /etc that programs read when they start: alternatives, and the places of libraries.
 */
const etc = ['alternatives', 'ld.so.cache', 'ld.so.conf', 'ld.so.conf.d'];

function mountArguments(
  { writable }: SandboxCommand,
  limits: JailLimits,
  mounts: readonly SandboxMount[],
): readonly string[] {
  const size = ['--size', String(limits.writableBytes)];
  return [
    programDirectories(mounts),
    etc.flatMap((name) => ['--ro-bind-try', `/etc/${name}`, `/etc/${name}`]),
    ['--proc', '/proc', '--dev', '/dev', ...size, '--tmpfs', '/tmp'],
    mounts.flatMap(mountArgument),
    [...size, '--tmpfs', writable, '--remount-ro', '/dev', '--remount-ro', '/'],
  ].flat();
}

/**
 * Returns arguments that mount /usr entry by entry, without /usr/src and /usr/local, which are not
 * Debian's. If mounts need a place in /usr/lib, its entries are mounted one by one: a directory
 * that is bound read-only cannot have new ones.
 */
function programDirectories(mounts: readonly SandboxMount[]): readonly string[] {
  const opened = new Set(
    mounts
      .map(({ to }) => /^(\/usr\/lib)\/[^/]+/.exec(to))
      .filter((match) => match !== null && statOf(match[0]) === undefined)
      .map((match) => match![1]!),
  );
  const usr = ['bin', 'sbin', 'lib', 'lib32', 'lib64', 'libx32', 'libexec', 'include', 'share'];
  const inUsr = usr.flatMap((name) => {
    const directory = `/usr/${name}`;
    return opened.has(directory) ? directoryByEntries(directory) : ifThere(directory);
  });
  return [...inUsr, ...['bin', 'sbin', 'lib', 'lib32', 'lib64'].flatMap((n) => ifThere(`/${n}`))];
}

const directoryByEntries = (directory: string): readonly string[] =>
  readdirSync(directory).flatMap((name) => bindOrLink(`${directory}/${name}`));

function mountArgument(mount: SandboxMount): readonly string[] {
  if ('link' in mount) return ['--symlink', mount.link, mount.to];
  return mount.from === undefined ? ['--tmpfs', mount.to] : bindOrLink(mount.from, mount.to);
}

const ifThere = (path: string): readonly string[] =>
  statOf(path) === undefined ? [] : bindOrLink(path);

function bindOrLink(path: string, to = path): readonly string[] {
  const target = linkAt(path);
  return target === '' ? ['--ro-bind', path, to] : ['--symlink', target, to];
}

const statOf = (path: string) => statSync(path, { throwIfNoEntry: false });
