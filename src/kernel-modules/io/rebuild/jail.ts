/**
 * Runs a command that somebody else wrote, in a jail made by bubblewrap.
 *
 * Inside: no network, own processes, users, IPC and host name, no capabilities, a user that owns nothing,
 * the host's programs read-only, no environment, nothing of /etc but what programs need to start, and
 * directories that can be written in memory only, of bounded size. What goes in is a tar archive at standard
 * input, what comes out is text and the bytes written to descriptor 3. Everything in the jail ends with the command,
 * with the time limit, with the caller's signal and with this process, and leaves nothing behind.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { randomInt } from 'node:crypto';
import { fail, ok, type Result } from '../../../base/result.ts';
import { coverInherited } from './inherited.ts';
import { type JailCgroup, makeJailCgroup } from './jail-cgroup.ts';
import { printable } from '../../../base/printable.ts';

/**
 * A file or directory of the host that can be read in the jail, at `to`, or an empty directory for other mounts
 * to stand in. A link stays a link. Later ones cover earlier ones.
 */
export type JailMount =
  | { readonly from: string | undefined; readonly to: string }
  /** A link, to a path in the jail. */
  | { readonly link: string; readonly to: string };

export interface JailLimits {
  readonly wallSeconds: number;
  /** A process each. */
  readonly cpuSeconds: number;
  readonly addressSpaceBytes: number;
  readonly fileBytes: number;
  /** All of them together, files in memory included; never more than half of the host's. */
  readonly memoryBytes: number;
  readonly processes: number;
  /** All that can be written, a writable directory each. */
  readonly writableBytes: number;
  readonly outputBytes: number;
  readonly resultBytes: number;
}

export const defaultLimits: JailLimits = {
  wallSeconds: 30 * 60,
  cpuSeconds: 20 * 60,
  addressSpaceBytes: 4 * 2 ** 30,
  fileBytes: 2 ** 30,
  memoryBytes: 4 * 2 ** 30,
  processes: 256,
  writableBytes: 2 * 2 ** 30,
  outputBytes: 64 * 2 ** 20,
  resultBytes: 256 * 2 ** 20,
};

export interface JailOptions {
  readonly command: readonly string[];
  /** The command's directory: empty, in memory, the only place besides /tmp that can be written. */
  readonly writable: string;
  readonly mounts?: readonly JailMount[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly input?: Readable;
  readonly limits?: Partial<JailLimits>;
  /** Called with each line of output, without control characters. */
  readonly onLine?: (line: string) => void;
  readonly signal?: AbortSignal;
}

export interface JailResult {
  readonly end:
    | { readonly kind: 'exit'; readonly status: number }
    | { readonly kind: 'time' | 'output' | 'result' | 'aborted'; readonly message: string };
  /** The last lines of output, oldest first. */
  readonly lastLines: readonly string[];
  /** What was written to descriptor 3. */
  readonly result: Uint8Array;
  /** Why no cgroup bounded all processes together; undefined where one did. */
  readonly unbounded: string | undefined;
}

const lastLinesMax = 40;
const lineCharactersMax = 2000;

/** Runs the command; fails when the jail cannot be made. Never leaves a process behind. */
export async function runInJail(options: JailOptions): Promise<Result<JailResult>> {
  const usable = jailTools();
  if (!usable.ok) return usable;
  const limits = { ...defaultLimits, ...options.limits };
  const made = makeJailCgroup(limits);
  using cgroup = made.ok ? made.value : undefined;
  const argv = jailCommand(options, limits, cgroup);
  using covering = coverInherited(4);
  const child = spawn(argv[0]!, argv.slice(1), {
    cwd: '/',
    env: { PATH: searchPath, LANG: 'C.UTF-8' },
    stdio: ['pipe', 'pipe', 'pipe', 'pipe', ...covering.stdio],
  });
  const result = await new Run(child, options, limits, cgroup).ended();
  return result.ok && !made.ok ? ok({ ...result.value, unbounded: made.error }) : result;
}

const searchPath = '/usr/sbin:/usr/bin:/sbin:/bin';

/** Whether the programs that make a jail are installed. */
export function jailTools(): Result<true> {
  const missing = [
    ['bwrap', 'bubblewrap'],
    ['setpriv', 'util-linux'],
    ['prlimit', 'util-linux'],
    ['choom', 'util-linux'],
    ['unshare', 'util-linux'],
  ].filter(([program = '']) => !isProgram(program));
  if (missing.length === 0) return ok(true);
  const packages = [...new Set(missing.map(([, name]) => name))].join(' ');
  const programs = missing.map(([name]) => `"${name}"`).join(', ');
  return fail(
    `${programs} is not installed, and nothing of others is run without it; install it: apt install ${packages}`,
  );
}

const isProgram = (name: string): boolean =>
  searchPath.split(':').some((directory) => statOf(`${directory}/${name}`)?.isFile() === true);

const statOf = (path: string) => statSync(path, { throwIfNoEntry: false });

class Run {
  readonly #child: ChildProcess;
  readonly #options: JailOptions;
  readonly #limits: JailLimits;
  readonly #cgroup: JailCgroup | undefined;
  readonly #lines: string[] = [];
  readonly #result: Uint8Array[] = [];
  #outputBytes = 0;
  #resultBytes = 0;
  #started = false;
  #given: JailResult['end'] | undefined;
  #unfinished = '';

  constructor(
    child: ChildProcess,
    options: JailOptions,
    limits: JailLimits,
    cgroup: JailCgroup | undefined,
  ) {
    this.#cgroup = cgroup;
    this.#child = child;
    this.#options = options;
    this.#limits = limits;
  }

  async ended(): Promise<Result<JailResult>> {
    const { promise, resolve } = Promise.withResolvers<Result<number>>();
    this.#child.on('error', (error) => resolve(fail(`Cannot start the jail: ${error.message}`)));
    this.#child.on('close', (code, name) => resolve(ok(code ?? (name === null ? 1 : 128))));
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => this.#read(text));
    }
    const descriptor3 = this.#child.stdio[3] as Readable | null;
    descriptor3?.on('data', (chunk: Uint8Array) => this.#keep(chunk)).on('error', () => {});
    this.#feed();
    const seconds = this.#limits.wallSeconds;
    const timer = setTimeout(() => {
      this.#give('time', `did not end within ${seconds} s`);
    }, seconds * 1000);
    const abort = () => this.#give('aborted', 'was interrupted');
    this.#options.signal?.addEventListener('abort', abort, { once: true });
    if (this.#options.signal?.aborted === true) abort();
    try {
      return this.#finish(await promise);
    } finally {
      clearTimeout(timer);
      this.#options.signal?.removeEventListener('abort', abort);
    }
  }

  #finish(status: Result<number>): Result<JailResult> {
    if (!status.ok) return status;
    this.#line(this.#unfinished);
    if (this.#given === undefined && !this.#started) {
      const refusal = this.#lines.at(-1) ?? `it ended with status ${status.value}`;
      return fail(
        `Cannot make the jail: ${refusal}; it needs bubblewrap 0.8 or later and leave to make namespaces, which a container or chroot may not give`,
      );
    }
    const end = this.#given ?? { kind: 'exit', status: status.value };
    return ok({
      end,
      lastLines: this.#lines,
      result: Buffer.concat(this.#result),
      unbounded: undefined,
    });
  }

  /** A command may end without reading all of its input. */
  #feed(): void {
    const { stdin } = this.#child;
    if (stdin === null) return;
    stdin.on('error', () => {});
    if (this.#options.input === undefined) stdin.end();
    else pipeline(this.#options.input, stdin).catch(() => stdin.destroy());
  }

  /**
   * bubblewrap's first process in the jail dies with it, and all others with that; but not one that has only
   * just been made, which has not told the kernel yet that it wants to.
   */
  #give(kind: 'time' | 'output' | 'result' | 'aborted', message: string): void {
    this.#given ??= { kind, message };
    this.#child.kill('SIGKILL');
    this.#cgroup?.kill();
  }

  #keep(bytes: Uint8Array): void {
    const chunk = this.#started ? bytes : bytes.subarray(1);
    this.#started = true;
    this.#resultBytes += chunk.length;
    if (this.#resultBytes <= this.#limits.resultBytes) this.#result.push(chunk);
    else this.#give('result', `made more than ${this.#limits.resultBytes} bytes`);
  }

  #read(text: string): void {
    this.#outputBytes += text.length;
    if (this.#outputBytes > this.#limits.outputBytes) {
      this.#give('output', `printed more than ${this.#limits.outputBytes} bytes`);
      return;
    }
    const lines = (this.#unfinished + text).split('\n');
    this.#unfinished = (lines.pop() ?? '').slice(0, lineCharactersMax);
    for (const line of lines) this.#line(line);
  }

  #line(line: string): void {
    if (line === '') return;
    const shown = printable(line.slice(0, lineCharactersMax).replaceAll('\t', ' '));
    this.#lines.push(shown);
    if (this.#lines.length > lastLinesMax) this.#lines.shift();
    this.#options.onLine?.(shown);
  }
}

/** The programs that make the jail, each replacing the one before it, and the command. */
function jailCommand(
  options: JailOptions,
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
    // Under pressure the kernel ends the jail before anything else.
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

/** A byte that is not of the result says that the jail was made. */
const startScript = `printf s >&3; exec "$@"`;

/** Zero is the process that writes. */
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
 * What root names may lie where only root can go, such as /root, and bubblewrap is started as somebody
 * else. So each is mounted again below /sys, which no source is in, for the jail's processes alone.
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

function withinReach(mounts: readonly JailMount[]): readonly string[] {
  const pairs = reach(mounts).flatMap((mount, at) => {
    const [from, original] = [fromOf(mount), fromOf(mounts[at]!)];
    return from === undefined || from === original || original === undefined
      ? []
      : [from, original];
  });
  const shell = ['sh', '-c', reachScript, 'sh', ...pairs, '--'];
  return ['unshare', '--mount', '--propagation', 'private', '--', ...shell];
}

/** Links are made anew and need no reaching. */
const reach = (mounts: readonly JailMount[]): readonly JailMount[] =>
  mounts.map((mount, at) => {
    const from = fromOf(mount);
    return from === undefined || linkTarget(from) !== undefined
      ? mount
      : { from: `/sys/${at}`, to: mount.to };
  });

const fromOf = (mount: JailMount): string | undefined => ('link' in mount ? undefined : mount.from);

const namespaceArguments: readonly string[] = [
  ['--unshare-all', '--unshare-user', '--disable-userns', '--uid', '65534', '--gid', '65534'],
  ['--hostname', 'jail', '--new-session', '--die-with-parent', '--cap-drop', 'ALL'],
].flat();

/**
 * A user id that owns no file and no process: from the range that systemd gives to services for the time
 * they run, and that no account has.
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

function environmentArguments({ environment = {}, writable }: JailOptions): readonly string[] {
  const all = {
    PATH: '/usr/bin:/bin:/usr/sbin:/sbin',
    HOME: writable,
    LANG: 'C.UTF-8',
    TZ: 'UTC',
    ...environment,
  };
  return Object.entries(all).flatMap(([name, value]) => ['--setenv', name, value]);
}

/** What programs read when they start: which of several is meant, and where libraries are. */
const etc = ['alternatives', 'ld.so.cache', 'ld.so.conf', 'ld.so.conf.d'];

function mountArguments(
  { writable }: JailOptions,
  limits: JailLimits,
  mounts: readonly JailMount[],
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
 * /usr entry by entry, without /usr/src and /usr/local, which are not Debian's, and with room for mounts in
 * /usr/lib: a directory that is bound read-only has no place for a new one.
 */
function programDirectories(mounts: readonly JailMount[]): readonly string[] {
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

function mountArgument(mount: JailMount): readonly string[] {
  if ('link' in mount) return ['--symlink', mount.link, mount.to];
  return mount.from === undefined ? ['--tmpfs', mount.to] : bindOrLink(mount.from, mount.to);
}

const ifThere = (path: string): readonly string[] =>
  statOf(path) === undefined ? [] : bindOrLink(path);

function bindOrLink(path: string, to = path): readonly string[] {
  const target = linkTarget(path);
  return target === undefined ? ['--ro-bind', path, to] : ['--symlink', target, to];
}

function linkTarget(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}
