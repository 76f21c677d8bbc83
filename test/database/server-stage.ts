/**
 * A real MariaDB with two tenants, alice and bob, whose clients run in their cgroups on this machine, and the agent's
 * code that holds them.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { compileExec, compileThaw } from '../../scripts/entry.ts';
import { releaseAll } from '../../src/apply/apply.ts';
import type { HoldMode } from '../../src/policy/databases/databases-element.ts';
import type { Row } from '../../src/database/core/protocol/reply.ts';
import { Holder, type HeldTenant } from '../../src/database/io/hold/holder.ts';
import { formatProblem } from '../../packages/base/problem.ts';
import { pathsOf } from '../../src/host/paths.ts';
import type { Tenant } from '../../src/policy/policy.ts';
import { MariadbServer } from '../../testing/mariadb.ts';
import { temporaryDirectory } from '../../testing/temporary-directory.ts';
import { treeHost } from '../../testing/tree-host.ts';
import { mustApply, policyOf } from '../conformance/suite.ts';

const client = fileURLToPath(new URL('load-client.ts', import.meta.url));
export const uidOf = { alice: 64_351, bob: 64_352 } as const;
export type Name = keyof typeof uidOf;

export interface Work {
  readonly work: 'cheapest' | 'point' | 'scan' | 'page' | 'update' | 'insert' | 'ddl';
  readonly connections: number;
  readonly seconds: number;
  /** Milliseconds between the beginnings of two pieces of work; 0: as fast as it can. */
  readonly every?: number;
}

export interface Worked {
  readonly n: number;
  readonly errors: number;
  readonly message: string;
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

export interface Held {
  readonly seconds: number;
  /** The CPU time that the server charges the tenant, in seconds. */
  readonly used: number;
  /** All CPU time of the server's process. */
  readonly server: number;
  readonly paused: number;
  readonly last: HeldTenant | undefined;
}

/** The policy of these tenants. Sites of alice may be added to it. */
const body = (sites: string) =>
  `<tenant uid="${uidOf.alice}">${sites}</tenant><tenant uid="${uidOf.bob}"/>`;

export class ServerStage implements AsyncDisposable {
  readonly host;
  readonly #scratch: ReturnType<typeof temporaryDirectory>;
  readonly server: MariadbServer;
  readonly problems: string[] = [];
  readonly #launcher = compileExec();
  readonly #body: string;
  readonly #children: ChildProcess[] = [];

  /** `parent`: the directory in which the server's is made. */
  constructor(instance: string, sites = '', options: readonly string[] = [], parent?: string) {
    this.#scratch = temporaryDirectory('held', parent, 0o755);
    const own = ['--userstat=1', '--max-connections=200'];
    this.server = new MariadbServer(this.#scratch.path, [...own, ...options]);
    compileThaw();
    chmodSync(this.#scratch.path, 0o755);
    this.host = treeHost(pathsOf(instance));
    this.#body = body(sites);
    // Removes what a killed run has left.
    releaseAll(this.host, { kill: true });
    mustApply(this.#body, this.host);
  }

  async start(): Promise<void> {
    await this.server.install();
    await this.server.start();
    for (const name of ['alice', 'bob']) {
      for (const each of [
        `CREATE DATABASE ${name}`,
        `CREATE USER ${name}@localhost`,
        `GRANT ALL ON ${name}.* TO ${name}@localhost`,
        `CREATE TABLE ${name}.t (id INT PRIMARY KEY, k INT NOT NULL, c CHAR(120) NOT NULL, pad CHAR(60) NOT NULL) ENGINE=InnoDB`,
        `CREATE TABLE ${name}.journal (id BIGINT AUTO_INCREMENT PRIMARY KEY, v VARCHAR(2000)) ENGINE=InnoDB`,
        `INSERT INTO ${name}.t SELECT seq, seq MOD 1000, REPEAT(MD5(seq), 3), MD5(seq + 1) FROM ${name}.seq_1_to_20000`,
      ])
        await this.server.sql(each);
    }
  }

  tenant(name: Name): Tenant {
    const tenant = policyOf(this.#body).tenants.find(({ uid }) => uid === uidOf[name]);
    if (tenant === undefined) throw new Error(`${name} is not in the policy`);
    return tenant;
  }

  /** Starts a tenant's client in its cgroup; resolves with what it has printed at its end. */
  work(
    name: Name,
    { work, connections, seconds, every = 0 }: Work,
    site?: string,
  ): Promise<Worked> {
    const where = ['--instance', this.host.paths.instance, '--chdir', '/'];
    if (site !== undefined) where.push('--site', site);
    const load = [this.server.socket, name, name, work, connections, seconds, every].map(String);
    const args = [...where, String(uidOf[name]), '--', process.execPath, client, ...load];
    // Ctrl-C is for this process, which then ends them.
    const child = spawn(this.#launcher, args, {
      stdio: ['ignore', 'pipe', 'inherit'],
      detached: true,
    });
    this.#children.push(child);
    let text = '';
    child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()));
    return once(child, 'close').then(() => {
      if (text === '') throw new Error(`the client of ${name} was ended`);
      return JSON.parse(text) as Worked;
    });
  }

  holder(mode: HoldMode = 'on'): Holder {
    const driver = this.host.probe();
    if (!driver.ok) throw new Error(formatProblem(driver.error));
    return new Holder({
      paths: this.host.paths,
      mode,
      driver: driver.value,
      onProblem: (problem) => this.problems.push(formatProblem(problem)),
    });
  }

  /** Holds alice to a part of a core for some seconds, with ten looks a second. */
  async hold(holder: Holder, limitFraction: number, seconds: number): Promise<Held> {
    const tenant = this.tenant('alice');
    const began = performance.now();
    const first = await this.#look();
    let [before, last]: [Seen, HeldTenant | undefined] = [first, undefined];
    let paused = 0;
    while (performance.now() - began < seconds * 1_000) {
      const now = await this.#look();
      const use = {
        tenant,
        usedMicroseconds: (now.used - before.used) * 1e6,
        elapsedMicroseconds: (now.at - before.at) * 1e3,
        limitFraction,
      };
      const held = holder.look([use], [this.server.socket])[0];
      paused += (held?.pausedMicroseconds ?? 0) / 1e6;
      last = held ?? last;
      before = now;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    const spent = (before.at - first.at) / 1_000;
    const [used, server] = [before.used - first.used, before.server - first.server];
    return { seconds: spent, used, server, paused, last };
  }

  readonly #bases = new Map<
    string,
    { readonly cpu: number; readonly base: number; readonly statement: string }
  >();

  /** The CPU time that alice's statements have used, finished or not, in seconds. */
  async #look(): Promise<Seen> {
    const users = await this.server.sql(
      "SELECT CPU_TIME, TOTAL_CONNECTIONS, SELECT_COMMANDS + UPDATE_COMMANDS + OTHER_COMMANDS FROM information_schema.USER_STATISTICS WHERE USER = 'alice'",
    );
    const [cpu = 0, connects = 0, commands = 0] = valuesOf(users[0]).map(Number);
    const sessions = await this.server.sql(
      "SELECT ID, TID, QUERY_ID, COMMAND FROM information_schema.PROCESSLIST WHERE USER = 'alice'",
    );
    let running = 0;
    const known = new Map(this.#bases);
    this.#bases.clear();
    for (const [id = '', tid = '', statement = '', command = ''] of sessions.map(valuesOf)) {
      const thread = threadCpu(this.server.pid, tid);
      if (thread === undefined) continue;
      const earlier = known.get(id);
      const isSame = earlier?.statement === statement && command !== 'Sleep';
      const base = isSame ? earlier.base : (earlier?.cpu ?? thread);
      this.#bases.set(id, { cpu: thread, base, statement });
      if (command !== 'Sleep') running += thread - base;
    }
    // What is done between statements is not in the statistics.
    const used = cpu + connects * 80e-6 + commands * 6e-6 + running;
    return { at: performance.now(), used, server: processCpu(this.server.pid) };
  }

  /** The CPU time of the server so far, in seconds. */
  get serverSeconds(): number {
    return processCpu(this.server.pid);
  }

  /** Lets the cgroups of a tenant be looked at. */
  cgroup(path: string): string {
    const driver = this.host.probe();
    if (!driver.ok) throw new Error(formatProblem(driver.error));
    const { hierarchies } = driver.value.tree;
    const found = hierarchies.find((each) => each.controllers.has('freezer')) ?? hierarchies[0];
    return `${found?.rootPath}/${path}`;
  }

  /** Ends all work at once: it fails then. */
  endClients(): void {
    for (const each of this.#children) each.kill('SIGKILL');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.endClients();
    await this.server.stop();
    releaseAll(this.host, { kill: true });
    this.#scratch.remove();
  }
}

interface Seen {
  /** Milliseconds. */
  readonly at: number;
  readonly used: number;
  readonly server: number;
}

const valuesOf = (row: Row | undefined) => [...(row?.values() ?? [])].map((each) => each ?? '');

function threadCpu(pid: number, tid: string): number | undefined {
  try {
    return Number(readFileSync(`/proc/${pid}/task/${tid}/schedstat`, 'utf8').split(' ')[0]) / 1e9;
  } catch {
    return undefined;
  }
}

/** Returns the CPU time of all threads so far, in seconds. */
function processCpu(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) / 100;
}
