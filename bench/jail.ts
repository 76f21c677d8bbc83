/**
 * Jails: entering one, compared with setpriv, bubblewrap, crun and the same calls from C; and
 * building a thousand, with the memory that they take. Needs root, gcc, and setpriv of util-linux
 * 2.41.
 */
import { execFileSync } from 'node:child_process';
import {
  chownSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { pathsOf } from '../src/host/paths.ts';
import { buildElsewhere } from '../src/jail/io/build-elsewhere.ts';
import type { BuildAnswer, JailTenant } from '../src/jail/io/build/protocol.ts';
import { jailPathsOf } from '../src/jail/io/jail-paths.ts';
import type { Bench } from './bench.ts';
import { afterGap, launchText, rootsOf } from './exec.ts';
import { compare, inTurn, type Row, type Section, type Way } from './samples.ts';
import { compileExec } from '../scripts/entry.ts';

const instance = 'bulkhead-bench-jail';
const [firstUid, secondUid] = [630_000, 630_001] as const;
const homes = `/srv/${instance}`;
const gapMs = 60;
const launcher = compileExec();

export async function benchJail(bench: Bench): Promise<Section> {
  const count = bench.quick ? 100 : 1000;
  try {
    prepare();
    const tenants = Array.from({ length: count }, (_, index) => tenant(firstUid + index));
    await build(tenants.slice(0, 1));
    const before = memoryKiB();
    const built = await build(tenants);
    const taken = memoryKiB() - before;
    const again = await build(tenants);
    const entry = await measureEntries(bench);
    const started = performance.now();
    await buildElsewhere({ kind: 'release', instance });
    return {
      name: 'jail',
      title: 'Jails: exec TENANT -- true, start to exit, after 60 ms idle',
      beside: 'C: two namespaces, seccomp',
      rows: entry,
      notes: [
        `${built.built.length} jails built in ${built.milliseconds.toFixed(0)} ms, asked again in ${again.milliseconds.toFixed(0)} ms, removed in ${(performance.now() - started).toFixed(0)} ms with the process that does it`,
        `${(taken / count).toFixed(1)} KiB of kernel and shared memory each`,
      ],
    };
  } finally {
    remove();
  }
}

function tenant(uid: number): JailTenant {
  const home = `${homes}/t${uid}`;
  mkdirSync(home, { recursive: true, mode: 0o755 });
  chownSync(home, uid, uid);
  const account = { user: `t${uid}`, uid, gid: uid, home };
  return { uid, account, jail: { profile: 'web', paths: [] } };
}

async function build(tenants: readonly JailTenant[]): Promise<BuildAnswer> {
  const answer = await buildElsewhere({ kind: 'build', instance, databases: [], tenants });
  if (!answer.ok) throw new Error(answer.error.reason);
  const [problem] = answer.value.problems;
  if (problem !== undefined) throw new Error(problem.reason);
  return answer.value;
}

/**
 * Returns slab and shared memory, which namespaces, mounts and files in the vault take. Source:
 * proc_meminfo(5).
 */
function memoryKiB(): number {
  const text = readFileSync('/proc/meminfo', 'utf8');
  const value = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(text)?.[1]);
  return value('Slab') + value('Shmem');
}

function prepare(): void {
  remove();
  for (const root of rootsOf(instance)) {
    for (const uid of [firstUid, secondUid]) mkdirSync(`${root}/u${uid}`, { recursive: true });
  }
  mkdirSync(`/run/${instance}`);
  execFileSync('tee', [`/run/${instance}/launch`], {
    input: launchText(rootsOf(instance)),
    stdio: ['pipe', 'ignore', 'inherit'],
  });
}

function remove(): void {
  const { vault, base } = jailPathsOf(pathsOf(instance));
  for (const path of [vault, base]) {
    if (existsSync(path)) execFileSync('sh', ['-c', `umount -l ${path} 2>/dev/null || true`]);
  }
  for (const path of [`/run/${instance}`, `/var/lib/${instance}`, homes]) {
    rmSync(path, { recursive: true, force: true });
  }
  const cgroups = rootsOf(instance).flatMap((root) =>
    [firstUid, secondUid].map((uid) => `${root}/u${uid}`).concat(root),
  );
  for (const directory of cgroups) {
    if (existsSync(directory)) execFileSync('rmdir', [directory]);
  }
}

async function measureEntries({ directory, quick, signal }: Bench): Promise<readonly Row[]> {
  const compile = (name: string) => {
    const program = join(directory, name);
    const source = fileURLToPath(new URL(`${name}.c`, import.meta.url));
    execFileSync('gcc', ['-O2', '-o', program, source]);
    return program;
  };
  const harness = compile('harness');
  const { vault, inside } = jailPathsOf(pathsOf(instance));
  const pins = [`${inside}/ns/${firstUid}`, `${inside}/ipc/${firstUid}`];
  const filter = '/run/bulkhead/seccomp';
  const ids = ['--reuid', `${firstUid}`, '--regid', `${firstUid}`, '--clear-groups'];
  const drop = [...ids, '--no-new-privs', '--inh-caps=-all', '--bounding-set=-all'];
  const floorCommand = [compile('jail-enter'), vault, ...pins, `${firstUid}`, filter, 'true'];
  const exec = [launcher, '--instance', instance];
  const way = (command: readonly string[], around?: readonly string[]) =>
    afterGap(harness, gapMs, command, around);
  const ways: (readonly [label: string, way: Way])[] = [
    ['plain', way(['true'])],
    ['setpriv', way(['setpriv', ...drop, 'true'])],
    ['bulkhead-exec into the jail', way([...exec, `${firstUid}`, '--', 'true'])],
  ];
  if (withoutLandlock(secondUid)) {
    ways.push(['the same without Landlock', way([...exec, `${secondUid}`, '--', 'true'])]);
  }
  if (existsSync('/usr/bin/bwrap')) ways.push(['bubblewrap, then setpriv', way(bubblewrap(drop))]);
  if (existsSync('/usr/bin/crun')) ways.push(['crun run', way(crun(directory), withoutCgroups)]);
  const [floor = [], ...samples] = await inTurn(
    quick ? 10 : 60,
    [way(floorCommand), ...ways.map(([, each]) => each)],
    signal,
  );
  return ways.map(([label], index) => compare(label, samples[index] ?? [], floor));
}

/**
 * Turns Landlock off for a tenant, and returns whether it was on: only where the kernel runs no BPF
 * programs.
 */
function withoutLandlock(uid: number): boolean {
  const stateFile = `${jailPathsOf(pathsOf(instance)).tenants}/${uid}`;
  const text = readFileSync(stateFile, 'utf8');
  writeFileSync(stateFile, text.replace(/^landlock yes$/m, 'landlock no'));
  return text.includes('\nlandlock yes\n');
}

/**
 * A mount namespace without cgroups. crun does not start on a host with cgroups of both versions,
 * even if it is told to leave them as they are.
 */
const withoutCgroups = [
  'unshare',
  '--mount',
  'sh',
  '-c',
  'mount -t tmpfs none /sys/fs/cgroup && exec "$@"',
  'sh',
];

/** Debian's links in the root directory that lead into /usr. */
const intoUsr = ['bin', 'sbin', 'lib', 'lib64'];

/** Returns a bubblewrap command with as much of the same view as it has options for. */
function bubblewrap(drop: readonly string[]): readonly string[] {
  const links = intoUsr.flatMap((name) => ['--symlink', `usr/${name}`, `/${name}`]);
  const home = `${homes}/t${firstUid}`;
  return [
    ['bwrap', '--ro-bind', '/usr', '/usr', ...links, '--ro-bind', '/etc', '/etc'],
    ['--proc', '/proc', '--dev', '/dev', '--tmpfs', '/tmp', '--tmpfs', '/var/tmp'],
    ['--bind', home, home, '--unshare-ipc', '--cap-add', 'ALL', 'setpriv', ...drop, 'true'],
  ].flat();
}

/**
 * Returns a crun command with the same view as a container, without a cgroup of its own. Source:
 * OCI runtime specification, config.md.
 */
function crun(directory: string): readonly string[] {
  const bundle = join(directory, 'bundle');
  mkdirSync(join(bundle, 'rootfs'), { recursive: true });
  for (const name of intoUsr) symlinkSync(`usr/${name}`, join(bundle, 'rootfs', name));
  const home = `${homes}/t${firstUid}`;
  const bind = (path: string, access: 'ro' | 'rw') => ({
    destination: path,
    source: path,
    options: ['bind', access],
  });
  const tmpfs = (destination: string) => ({ destination, type: 'tmpfs', source: 'tmpfs' });
  writeFileSync(
    join(bundle, 'config.json'),
    JSON.stringify({
      ociVersion: '1.0.0',
      root: { path: 'rootfs' },
      process: {
        args: ['true'],
        cwd: '/',
        env: ['PATH=/usr/bin'],
        user: { uid: firstUid, gid: firstUid },
        noNewPrivileges: true,
      },
      mounts: [
        bind('/usr', 'ro'),
        bind('/etc', 'ro'),
        { destination: '/proc', type: 'proc', source: 'proc' },
        ...['/dev', '/tmp', '/var/tmp'].map(tmpfs),
        bind(home, 'rw'),
      ],
      linux: { namespaces: [{ type: 'mount' }, { type: 'ipc' }] },
    }),
  );
  const state = join(directory, 'containers');
  return ['crun', '--root', state, '--cgroup-manager=disabled', 'run', '--bundle', bundle, 'bench'];
}
