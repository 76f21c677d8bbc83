/**
 * The stage of the network's benchmark, in network and mount namespaces of its own: everything but the cgroup ends with
 * them. This host's end of a wire, a device that throws away what it is to send, and the world at the other end.
 */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { errnoOf } from '../../packages/base/io/errno.ts';
import { eventually } from '../../testing/patience.ts';
import { pathsOf } from '../../src/host/paths.ts';
import { findUnified } from '../../src/host/cgroups/hierarchies.ts';
import type { NetworkRules, TenantNetwork } from '../../src/network/core/rules.ts';
import { NetworkPrograms } from '../../src/network/io/programs/network-programs.ts';

export const [device, sink] = ['host', 'sink'];
export const [far, nowhere, near] = ['198.18.0.2', '198.19.0.2', '198.18.0.1'];
export const port = 9000;
/** The port of a second server in the world, for connections that should not occupy the first. */
export const otherPort = 9001;
/** A limit that nothing reaches: what it costs is that it is asked. */
export const beyond = 10 ** 10;

/** The qdisc as the agent sets it. */
export const fq = ['fq', 'limit', '100000', 'flow_limit', '1000', 'nopacing'] as const;

const unified = findUnified(pathsOf())?.mountPoint;
const cgroup = `${unified}/bulkhead-bench-network`;

/** Removes the only thing that outlives the namespaces, once their last process has ended. */
export const removeCgroup = (): Promise<unknown> =>
  eventually('the cgroup of the benchmark is empty', () => {
    try {
      rmdirSync(cgroup);
      return true;
    } catch (error) {
      const errno = errnoOf(error);
      if (errno === 'EBUSY') return false;
      if (errno === 'ENOENT') return true;
      throw error;
    }
  });

const run = (program: string, ...words: readonly string[]): string =>
  execFileSync(program, words, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });

export class BenchStage {
  readonly #load: string;
  readonly #place;
  /** The file by which processes leave the cgroup of the programs. */
  readonly #outside: string;
  #programs: NetworkPrograms | undefined;

  /** `directory`: anybody can enter it, and it has the compiled `load`. */
  constructor(directory: string) {
    this.#load = `${directory}/load`;
    const own = `${directory}/host`;
    this.#place = {
      instance: 'bulkhead-bench-network',
      proc: '/proc',
      sys: `${own}/sys`,
      etc: `${own}/etc`,
      runtime: `${own}/run`,
      state: `${own}/state`,
      cache: `${own}/cache`,
      cgroup,
    };
    const before = /^0::(.*)$/m.exec(readFileSync('/proc/self/cgroup', 'utf8'))?.[1] ?? '/';
    this.#outside = `${unified}${before}/cgroup.procs`;
    mkdirSync(cgroup, { recursive: true });
    // The programs are tried by the process that loads them.
    writeFileSync(`${cgroup}/cgroup.procs`, '0');
    mkdirSync(`${own}/sys/fs/bpf`, { recursive: true });
    run('mount', '-t', 'bpf', 'bpf', `${own}/sys/fs/bpf`);
    // Names of network namespaces are in it.
    run('mount', '-t', 'tmpfs', 'tmpfs', '/run');
    makeDevices();
  }

  /** Whether the kernel has a qdisc. */
  has(...qdisc: readonly string[]): boolean {
    try {
      this.qdisc(device, ...qdisc);
      return true;
    } catch {
      return false;
    } finally {
      this.qdisc(device);
    }
  }

  /** Sets the qdisc of a device, or the kernel's own choice. */
  qdisc(name: string, ...qdisc: readonly string[]): void {
    run('tc', 'qdisc', 'replace', 'dev', name, 'root', 'pfifo');
    run('tc', 'qdisc', 'del', 'dev', name, 'root');
    if (qdisc.length > 0) run('tc', 'qdisc', 'replace', 'dev', name, 'root', ...qdisc);
  }

  /** Sets HTB with so many classes, of bits per second each: the first is 1:1. */
  htb(name: string, classes: number, rate: string): void {
    this.qdisc(name, 'handle', '1:', 'htb', 'default', 'fff0');
    const lines = [...Array(classes).keys()].map(
      (at) =>
        `class add dev ${name} parent 1: classid 1:${(at + 1).toString(16)} htb rate ${rate}\n`,
    );
    execFileSync('tc', ['-batch', '-'], { input: lines.join(''), stdio: 'pipe' });
  }

  nft(rules: string): void {
    execFileSync('nft', ['-f', '-'], { input: rules, stdio: ['pipe', 'ignore', 'pipe'] });
  }

  /** Lets the world send late, and one packet at a time: as a network does. */
  makeDistant(milliseconds: number): void {
    const words = ['netem', 'delay', `${milliseconds}ms`, 'limit', '100000'];
    run('ip', 'netns', 'exec', 'world', 'tc', 'qdisc', 'replace', 'dev', 'wire', 'root', ...words);
  }

  /** Whether packets are divided before they are counted. */
  divide(divided: boolean): void {
    const most = divided ? '1' : '65535';
    run('ip', 'link', 'set', device, 'gso_max_segs', most);
    run('ip', '-n', 'world', 'link', 'set', 'wire', 'gso_max_segs', most);
  }

  /** Puts rules in force for the processes in the cgroup; the programs stay. */
  apply(
    tenants: readonly TenantNetwork[],
    resellers: NetworkRules['resellers'] = new Map(),
  ): NetworkPrograms {
    const rules = { tenants, resellers, ranges: [], servedPorts: new Map() };
    if (this.#programs !== undefined) {
      const problem = this.#programs.update(rules);
      if (problem !== undefined) throw new Error(problem.reason);
      return this.#programs;
    }
    const loaded = NetworkPrograms.load(rules, this.#place);
    if (!loaded.ok) throw new Error(`${loaded.error.action}: ${loaded.error.reason}`);
    this.#programs = loaded.value;
    return loaded.value;
  }

  /** Starts a server in the world, or on this host as root; it ends with the namespaces. */
  async serve(where: 'here' | 'world', at = port): Promise<void> {
    const own = [this.#load, 'serve', `${at}`];
    const [program = '', ...words] =
      where === 'here' ? own : ['ip', 'netns', 'exec', 'world', ...own];
    const server = spawn(program, words, { stdio: ['ignore', 'pipe', 'inherit'] });
    await createInterface(server.stdout)[Symbol.asyncIterator]().next();
  }

  /** Runs `load` beside the programs, and returns the numbers that it printed. */
  beside(...words: readonly (string | number)[]): Promise<readonly number[]> {
    return this.#numbers(['join', this.#outside, ...words]);
  }

  /** Runs `load` as a user, below the programs. */
  as(uid: number, ...words: readonly (string | number)[]): Promise<readonly number[]> {
    return this.#numbers(['uid', uid, ...words]);
  }

  /** Starts `load` as a user, below the programs; it ends when it is disposed of. */
  start(uid: number, ...words: readonly (string | number)[]): Disposable {
    const all = ['uid', uid, ...words].map(String);
    const child = spawn(this.#load, all, { stdio: ['ignore', 'ignore', 'inherit'] });
    return { [Symbol.dispose]: () => void child.kill('SIGKILL') };
  }

  async #numbers(words: readonly (string | number)[]): Promise<readonly number[]> {
    const stdio = ['ignore', 'pipe', 'inherit'] as const;
    const child = spawn(this.#load, words.map(String), { stdio: [...stdio] });
    let text = '';
    child.stdout?.setEncoding('utf8').on('data', (part: string) => (text += part));
    const [status] = (await once(child, 'close')) as [number | null];
    if (status !== 0) throw new Error(`load ${words.join(' ')}: status ${status}`);
    return text.trim().split(/\s+/).map(Number);
  }
}

function makeDevices(): void {
  run('ip', 'link', 'set', 'lo', 'up');
  run('ip', 'netns', 'add', 'world');
  run('ip', 'link', 'add', device, 'type', 'veth', 'peer', 'name', 'wire', 'netns', 'world');
  run('ip', 'addr', 'add', `${near}/24`, 'dev', device);
  run('ip', 'link', 'set', device, 'up');
  run('ip', '-n', 'world', 'addr', 'add', `${far}/24`, 'dev', 'wire');
  run('ip', '-n', 'world', 'link', 'set', 'wire', 'up');
  // It drops what no rule has sent to it.
  run('ip', 'link', 'add', sink, 'type', 'ifb');
  run('ip', 'addr', 'add', '198.19.0.1/24', 'dev', sink);
  run('ip', 'link', 'set', sink, 'up');
}
