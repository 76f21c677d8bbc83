/** A real agent on this machine's kernel in a fleet whose releases are really signed, and tenants that run something. */
import assert from 'node:assert/strict';
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { writeFileSync, type DisposableTempDir } from 'node:fs';
import { join } from 'node:path';
import { after, before } from 'node:test';
import type { FleetResponse } from '../../src/agent/api/fleet-api.ts';
import { readText } from '../../packages/base/io/read.ts';
import type { ReleaseHead } from '../../src/fleet/core/documents.ts';
import { trustFileText } from '../../src/fleet/core/fleet-files.ts';
import { fleetDirectoryOf } from '../../src/host/paths.ts';
import { MetricsStore } from '../../src/store/metrics/metrics-store.ts';
import { emptyColumns } from '../../src/usage/tick.ts';
import { temporaryDirectory } from '../../testing/temporary-directory.ts';
import { hostHere } from '../conformance/host-here.ts';
import { program, RunningAgent } from '../agent/running-agent.ts';
import { bundles, person, signedTrust, trustOf, type Person } from './people.ts';

const day = 86_400_000;
export const hostName = 'web-001';

export interface CliResult {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

export class HostStage {
  readonly skip: string | false;
  readonly instance: string;
  readonly uids: readonly number[];
  readonly #here: ReturnType<typeof hostHere>;
  readonly #children: ChildProcess[] = [];
  #agent: RunningAgent | undefined;
  #alice: Person | undefined;
  /** Bundles, which accounts other than root hand over as well. */
  #public: DisposableTempDir | undefined;
  #files = 0;

  constructor(instance: string, uidsFrom: number, tenants = 4) {
    this.instance = instance;
    this.uids = Array.from({ length: tenants }, (_, each) => uidsFrom + each);
    this.#here = hostHere(instance);
    this.skip = 'skip' in this.#here ? this.#here.skip : false;
  }

  get agent(): RunningAgent {
    assert.ok(this.#agent, 'no agent was started');
    return this.#agent;
  }

  get directory(): string {
    return fleetDirectoryOf(this.agent.host.paths);
  }

  get alice(): Person {
    this.#alice ??= person(this.agent.directory, 'alice@example.org');
    return this.#alice;
  }

  readonly chain = () => [signedTrust(trustOf(1, [this.alice]), this.alice)];

  /**
   * Starts the agent before the tests, in the fleet, on a host that has been measured for weeks. `isNoticed`: the agent
   * has read that the host has joined.
   */
  register(isNoticed = true): void {
    before(async () => {
      if ('skip' in this.#here) return;
      this.#agent = new RunningAgent(this.#here.host);
      this.measuredFor(30);
      this.agent.writePolicy(this.ownPolicy());
      await this.agent.start();
      const trust = `${this.agent.directory}/trust.json`;
      writeFileSync(trust, trustFileText(this.chain()));
      const policy = this.agent.policyFile;
      const joined = await this.cli('join', trust, '--host', hostName, '--yes', '-p', policy);
      assert.equal(joined.status, 0, joined.stderr);
      if (isNoticed) await this.until('it is in the fleet', ({ state }) => state === 'new');
    });
    after(async () => {
      for (const each of this.#children) each.kill('SIGKILL');
      await this.#agent?.[Symbol.asyncDispose]();
      this.#public?.remove();
    });
  }

  /** Root's own file: without limits, which are the fleet's. */
  ownPolicy(more = ''): string {
    return `<agent interval="1s"/>${this.uids.map((uid) => `<tenant uid="${uid}"/>`).join('')}${more}`;
  }

  /** Returns the element that "bulkhead fleet join" writes into root's own file. */
  membership(accept = ''): string {
    return `<fleet name="example" host="${hostName}"${accept}/>`;
  }

  /** Writes a measurement of long ago, so that days without faults are known to be without. */
  measuredFor(days: number): void {
    using store = new MetricsStore(`${this.agent.host.paths.state}/history`);
    const at = Date.now() - days * day;
    const added = store.add({ at, seconds: 1, members: ['u1'], columns: emptyColumns(1) });
    assert.ok(added.ok);
  }

  /** Signs a release, and returns the file of this host. */
  release(generation: number, policy: string, head: Partial<ReleaseHead> = {}): string {
    return this.file(this.bundle(generation, policy, head));
  }

  bundle(generation: number, policy: string, head: Partial<ReleaseHead> = {}): string {
    const issued = new Date().toISOString();
    const expires = new Date(Date.now() + 30 * day).toISOString();
    const made = bundles({
      chain: this.chain(),
      signers: [this.alice],
      head: { generation, issued, expires, watchSeconds: 5, ...head },
      hosts: [hostName, 'web-002'],
      policy: () => `<bulkhead version="1">${policy}</bulkhead>\n`,
    });
    return made.get(hostName) ?? assert.fail('the host is not in the release');
  }

  file(text: string): string {
    this.#public ??= temporaryDirectory('fleet-bundles', '/tmp', 0o755);
    const file = join(this.#public.path, `bundle-${this.#files++}.json`);
    writeFileSync(file, text, { mode: 0o644 });
    return file;
  }

  /** Runs `bulkhead fleet …` as an account. */
  cli(...args: readonly string[]): Promise<CliResult> {
    return this.cliAs(0, ...args);
  }

  cliAs(uid: number, ...args: readonly string[]): Promise<CliResult> {
    const own = ['--instance', this.instance, 'fleet', ...args];
    const command = uid === 0 ? [program, ...own] : ['setpriv', ...asUid(uid), program, ...own];
    const [file = '', ...rest] = command;
    return new Promise((resolve) => {
      execFile(file, rest, { maxBuffer: 2 ** 26 }, (error, stdout, stderr) =>
        resolve({ status: error === null ? 0 : Number(error.code ?? -1), stdout, stderr }),
      );
    });
  }

  async state(): Promise<FleetResponse> {
    return (await this.agent.ask('/v1/fleet')).json<FleetResponse>();
  }

  async until(what: string, holds: (state: FleetResponse) => boolean): Promise<FleetResponse> {
    let last: FleetResponse | undefined;
    await this.agent.until(what, async () => {
      const asked = await this.agent.ask('/v1/fleet');
      if (asked.status !== 200) return false;
      last = asked.json<FleetResponse>();
      return holds(last);
    });
    return last ?? assert.fail(what);
  }

  /** Starts a process that changes its own uid to a tenant's, as cron does. */
  runAs(uid: number, script: string): ChildProcess {
    const child = spawn('setpriv', [...asUid(uid), 'sh', '-c', script], { stdio: 'ignore' });
    this.#children.push(child);
    return child;
  }

  /** Returns the limit of processes that the kernel has for a tenant. */
  processesMax(uid: number): string | undefined {
    return ['/sys/fs/cgroup/pids', '/sys/fs/cgroup']
      .map((mount) => readText(`${mount}/${this.instance}/u${uid}/pids.max`)?.trim())
      .find((each) => each !== undefined);
  }
}

const asUid = (uid: number): readonly string[] => [
  '--reuid',
  `${uid}`,
  '--regid',
  `${uid}`,
  '--clear-groups',
];
