/**
 * A stage for the programs of the network: this process, with what it starts, in a cgroup of its own, which they are
 * attached to; a file system for pins; and another host, "the world", at the end of a wire. This host keeps its network,
 * with one device more. Needs root.
 */
import { execFileSync, spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { after, before } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { libbpf } from '../../src/sys/bpf/libbpf.ts';
import { findUnified } from '../../src/host/cgroups/hierarchies.ts';
import { pathsOf } from '../../src/host/paths.ts';
import {
  NetworkPrograms,
  type NetworkPlace,
} from '../../src/network/io/programs/network-programs.ts';
import type { NetworkRules, TenantNetwork } from '../../src/network/core/rules.ts';
import { compileBpf } from '../../scripts/bpf.ts';
import { programsReady, buildProgram } from '../placer/programs.ts';
import { ensurePrerequisites, type Readiness } from '../../testing/prerequisites.ts';
import { logToStderr } from '../../testing/progress.ts';
import { suiteDirectory } from '../../testing/temporary-directory.ts';

const unified = findUnified(pathsOf())?.mountPoint;

/** A guest has no compiler; what it needs is brought along. */
const isBrought = process.env['BULKHEAD_TEST_PROGRAMS'] !== undefined;

const bpfReady = (): Promise<Readiness> =>
  isBrought ? Promise.resolve({ ok: true }) : ensurePrerequisites('bpf', logToStderr);

/** Returns why there can be no stage here; `false` if there can. */
export async function noStage(): Promise<string | false> {
  if (process.getuid?.() !== 0) return 'it needs root';
  if (unified === undefined) return 'no cgroup2 is mounted';
  const programs = await programsReady();
  if (!programs.ok) return programs.reason;
  const bpf = await bpfReady();
  if (!bpf.ok) return bpf.reason;
  const library = libbpf();
  if (!library.ok) return library.error.reason;
  const types = library.value.btf__load_vmlinux_btf();
  if (types === null) return "the kernel's types cannot be read";
  library.value.btf__free(types);
  return false;
}

/** Stages at the same time have other networks: 198.18.0.0/15 is for tests. Source: RFC 2544. */
const network = process.pid % 251;
export const host4 = `198.18.${network}.1`;
export const world4 = `198.18.${network}.2`;
export const host6 = `fd77:${network.toString(16)}::1`;
export const world6 = `fd77:${network.toString(16)}::2`;
/** A second address of the world, of a neighbouring network. */
export const other4 = `198.19.${network}.2`;

/** A second address of this host. */
const path4 = `198.18.${network}.3`;

/** Counters of a device, in bytes of IP. */
export interface Wire {
  readonly bytes: number;
  readonly packets: number;
}

const ethernetBytes = 14;

export class NetworkStage implements AsyncDisposable {
  readonly directory: string;
  readonly place: NetworkPlace;
  readonly traffic: string;
  readonly #world: string;
  /** This host's end of the wire. */
  readonly device: string;
  readonly #children: ChildProcess[] = [];
  readonly #undo = new DisposableStack();
  #programs: NetworkPrograms | undefined;

  /** `directory`: anybody can enter it. */
  constructor(directory: string) {
    this.directory = directory;
    const name = `bh${process.pid}`;
    this.#world = `${name}w`;
    this.device = `${name}h`;
    const cgroup = `${unified}/bulkhead-${name}`;
    this.place = {
      instance: 'bulkhead-network-test',
      proc: '/proc',
      sys: `${directory}/sys`,
      etc: `${directory}/etc`,
      runtime: `${directory}/run`,
      state: `${directory}/state`,
      cache: `${directory}/cache`,
      cgroup,
    };
    if (!isBrought) compileBpf();
    this.traffic = buildProgram(fileURLToPath(new URL('traffic.c', import.meta.url)), directory);
    try {
      this.#enterCgroup(cgroup);
      this.#makeWorld();
    } catch (error) {
      this.#undo.dispose();
      throw error;
    }
  }

  #enterCgroup(cgroup: string): void {
    const pins = `${this.place.sys}/fs/bpf`;
    mkdirSync(pins, { recursive: true });
    run('mount', '-t', 'bpf', 'bpf', pins);
    this.#undo.defer(() => run('umount', pins));
    const before = /^0::(.*)$/m.exec(readFileSync('/proc/self/cgroup', 'utf8'))?.[1] ?? '/';
    mkdirSync(cgroup);
    this.#undo.defer(() => rmdirSync(cgroup));
    writeFileSync(`${cgroup}/cgroup.procs`, '0');
    this.#undo.defer(() => writeFileSync(`${unified}${before}/cgroup.procs`, '0'));
  }

  #makeWorld(): void {
    const [world, device] = [this.#world, this.device];
    run('ip', 'netns', 'add', world);
    this.#undo.defer(() => run('ip', 'netns', 'del', world));
    run('ip', 'link', 'add', device, 'type', 'veth', 'peer', 'name', 'wire', 'netns', world);
    // The namespace ends in the background, with this one's end of the wire.
    this.#undo.defer(() => run('ip', 'link', 'del', device));
    for (const [at, name, v4, v6] of [
      [[], device, host4, host6],
      [['-n', world], 'wire', world4, world6],
    ] as const) {
      run('ip', ...at, 'addr', 'add', `${v4}/24`, 'dev', name);
      run('ip', ...at, 'addr', 'add', `${v6}/64`, 'dev', name, 'nodad');
      run('ip', ...at, 'link', 'set', name, 'up');
    }
    run('ip', '-n', world, 'link', 'set', 'lo', 'up');
    run('ip', '-n', world, 'addr', 'add', `${other4}/32`, 'dev', 'wire');
    run('ip', 'route', 'add', `${other4}/32`, 'dev', device);
    for (const setting of [
      'net.ipv4.tcp_fastopen=3',
      // It heeds what is dropped, as most hosts do. BBR, which this host may have as its own, hardly does.
      'net.ipv4.tcp_congestion_control=reno',
      'net.ipv6.conf.all.seg6_enabled=1',
      'net.ipv6.conf.wire.seg6_enabled=1',
    ])
      run('ip', 'netns', 'exec', world, 'sysctl', '-qw', setting);
  }

  /** Lets the kernel divide nothing after packets were counted at the ends of the wire. */
  divideNothing(): void {
    run('ip', 'link', 'set', this.device, 'gso_max_segs', '1');
    run('ip', '-n', this.#world, 'link', 'set', 'wire', 'gso_max_segs', '1');
  }

  /** Lets connections of MPTCP have a second path, from another address of this host. Returns whether this kernel can. */
  addPath(): boolean {
    const device = this.device;
    run('ip', 'addr', 'add', `${path4}/24`, 'dev', device);
    const mptcp = (...words: readonly string[]) =>
      spawnSync('ip', ['mptcp', ...words]).status === 0;
    const before = spawnSync('ip', ['mptcp', 'limits'], { encoding: 'utf8' }).stdout;
    const [, accepted = '0', subflows = '0'] =
      /add_addr_accepted (\d+) subflows (\d+)/.exec(before) ?? [];
    this.#undo.defer(() => {
      mptcp('limits', 'set', 'add_addr_accepted', accepted, 'subflow', subflows);
    });
    if (!mptcp('limits', 'set', 'subflow', '2')) return false;
    this.#undo.defer(() => mptcp('endpoint', 'del', 'id', '199'));
    run(
      'ip',
      '-n',
      this.#world,
      'mptcp',
      'limits',
      'set',
      'subflow',
      '2',
      'add_addr_accepted',
      '2',
    );
    return mptcp('endpoint', 'add', path4, 'dev', device, 'id', '199', 'subflow');
  }

  /** Returns how many further paths of MPTCP there were to the world. */
  joinedPaths(): number {
    const text = run('ip', 'netns', 'exec', this.#world, 'cat', '/proc/net/netstat');
    const [names = [], values = []] = text
      .split('\n')
      .filter((line) => line.startsWith('MPTcpExt:'))
      .map((line) => line.split(' '));
    return Number(values[names.indexOf('MPJoinAckRx')] ?? 0);
  }

  /** Has everything between this host and the world go by IPsec. Returns whether this kernel can. */
  seal(): boolean {
    const key = `0x${'42'.repeat(20)}`;
    const ways = [
      [host4, world4],
      [world4, host4],
    ] as const;
    for (const at of [[], ['-n', this.#world]])
      for (const [index, [from, to]] of ways.entries()) {
        const ends = ['src', from, 'dst', to];
        const direction = (index === 0) === (at.length === 0) ? 'out' : 'in';
        const state = [...ends, 'proto', 'esp', 'spi', `${0x700 + index}`];
        const how = ['mode', 'transport', 'aead', 'rfc4106(gcm(aes))', key, '128'];
        if (spawnSync('ip', [...at, 'xfrm', 'state', 'add', ...state, ...how]).status !== 0)
          return false;
        if (at.length === 0) this.#undo.defer(() => run('ip', 'xfrm', 'state', 'delete', ...state));
        const policy = [...ends, 'dir', direction];
        const by = ['tmpl', ...ends, 'proto', 'esp', 'mode', 'transport'];
        run('ip', ...at, 'xfrm', 'policy', 'add', ...policy, ...by);
        if (at.length === 0)
          this.#undo.defer(() => run('ip', 'xfrm', 'policy', 'delete', ...policy));
      }
    return true;
  }

  /** Sets the qdisc that packets with a time wait in. Returns whether this kernel has it. */
  useFq(): boolean {
    const words = ['replace', 'dev', this.device, 'root', 'fq', 'limit', '100000', 'nopacing'];
    return spawnSync('tc', ['qdisc', ...words, 'flow_limit', '1000']).status === 0;
  }

  /** Returns the number of packets that wait in the qdisc. */
  waiting(): number {
    const text = run('tc', '-s', 'qdisc', 'show', 'dev', this.device);
    return Number(/ backlog \S+ (\d+)p/.exec(text)?.[1] ?? 0);
  }

  /** Puts rules in force; the programs are loaded at the first call. */
  apply(rules: NetworkRules): NetworkPrograms {
    if (this.#programs !== undefined) {
      const problem = this.#programs.update(rules);
      if (problem !== undefined) throw new Error(problem.reason);
      return this.#programs;
    }
    const loaded = NetworkPrograms.load(rules, this.place);
    if (!loaded.ok) throw new Error(`${loaded.error.action}: ${loaded.error.reason}`);
    this.#programs = loaded.value;
    return loaded.value;
  }

  /** Runs `traffic` as a user of this host, and returns what it printed. */
  as(uid: number, ...words: readonly (string | number)[]): Promise<string> {
    return this.printed(this.traffic, words.map(String), uid);
  }

  /** Runs `traffic` in the world. */
  inWorld(...words: readonly (string | number)[]): Promise<string> {
    return this.printed('ip', ['netns', 'exec', this.#world, this.traffic, ...words.map(String)]);
  }

  printed(program: string, words: readonly string[], uid = 0): Promise<string> {
    return new Promise((resolve, reject) => {
      const child = spawn(program, words, {
        uid,
        gid: uid,
        cwd: '/',
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      this.#children.push(child);
      let text = '';
      child.stdout.setEncoding('utf8').on('data', (part: string) => (text += part));
      child.once('error', reject);
      child.once('close', () => resolve(text.trim()));
    });
  }

  /** Starts a server of `traffic`, as a user or in the world, and returns its first line, how to read another, and how to end it. */
  async serve(where: number | 'world', ...words: readonly (string | number)[]) {
    const own = [this.traffic, ...words.map(String)] as const;
    const [program, ...rest] =
      where === 'world' ? (['ip', 'netns', 'exec', this.#world, ...own] as const) : own;
    const ids = where === 'world' ? {} : { uid: where, gid: where };
    const child = spawn(program, rest, { ...ids, cwd: '/', stdio: ['ignore', 'pipe', 'inherit'] });
    this.#children.push(child);
    const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
    const next = async () => {
      const read = await lines.next();
      return read.done === true ? '' : read.value;
    };
    return { line: await next(), next, end: () => ended(child) };
  }

  /** Returns what came to the world, and what went from it. */
  wire(): { readonly sent: Wire; readonly received: Wire } {
    const read = (name: string) =>
      Number(
        run('ip', 'netns', 'exec', this.#world, 'cat', `/sys/class/net/wire/statistics/${name}`),
      );
    const side = (prefix: string): Wire => {
      const packets = read(`${prefix}_packets`);
      return { packets, bytes: read(`${prefix}_bytes`) - ethernetBytes * packets };
    };
    return { sent: side('rx'), received: side('tx') };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const child of this.#children) await ended(child);
    this.#programs?.[Symbol.dispose]();
    NetworkPrograms.unload(this.place);
    this.#undo.dispose();
  }
}

/** Sets a stage for all tests of a suite; call it in the suite. `setUp` is called once it stands. */
export function stageOfSuite(setUp: (stage: NetworkStage) => unknown): {
  readonly stage: NetworkStage;
} {
  let stage: NetworkStage | undefined;
  // Before the directory is removed.
  after(() => stage?.[Symbol.asyncDispose]());
  const directory = suiteDirectory('network', '/var/tmp', 0o711);
  before(async () => {
    stage = new NetworkStage(directory);
    await setUp(stage);
  });
  return {
    get stage() {
      if (stage === undefined) throw new Error('The suite has not begun');
      return stage;
    },
  };
}

/** Each tenant has a few reports for each second of the kernel's clock: waits for the next one. */
export const aSecondOfReports = (): Promise<unknown> => sleep(1_001);

/** Ends a process that this one started, and waits until it has. */
function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => {
    child.once('exit', () => resolve());
    child.kill('SIGKILL');
  });
}

const run = (program: string, ...words: readonly string[]): string =>
  execFileSync(program, words, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });

export const [alice, bob, carol] = [64_311, 64_312, 64_313] as const;
/** Alice's subordinate uids. */
export const subordinates = [7_100_000, 7_165_535, alice] as const;

/** Returns rules for some tenants; the others have none. */
export const rulesFor = (
  tenants: Readonly<Record<number, Partial<TenantNetwork>>>,
  more: Partial<NetworkRules> = {},
): NetworkRules => ({
  tenants: [alice, bob, carol].map((uid) => ({ uid, limits: {}, ...tenants[uid] })),
  resellers: new Map(),
  ranges: [subordinates],
  servedPorts: new Map(),
  ...more,
});

/** Everything may be reached. */
export const everything = {
  mail: 'anywhere',
  tenants: true,
  metadata: true,
  rules: [],
  others: 'allow',
  mode: 'refuse',
} as const;
