/** A real agent on this machine's kernel, in an instance of its own, and questions to it. */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, rmSync, writeFileSync, type DisposableTempDir } from 'node:fs';
import { request, type IncomingHttpHeaders } from 'node:http';
import { fileURLToPath } from 'node:url';
import { releaseAll } from '../../src/apply/apply.ts';
import { socketOf } from '../../src/agent/api/client.ts';
import type { StatusResponse } from '../../src/agent/api/status-response.ts';
import type { Host } from '../../src/host/host.ts';
import { readText } from '../../packages/base/io/read.ts';
import { eventually, patienceMilliseconds } from '../../testing/patience.ts';
import { treeElement } from '../../testing/tree-host.ts';
import { responseOf } from '../../testing/json-output.ts';
import { temporaryDirectory } from '../../testing/temporary-directory.ts';

export const program = fileURLToPath(new URL('../../bulkhead', import.meta.url));

export interface Reply {
  readonly status: number;
  readonly text: string;
  readonly headers: IncomingHttpHeaders;
  // oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- says what the answer is
  readonly json: <T>() => T;
}

const commandOf = (pid: number | string): string | undefined => readText(`/proc/${pid}/cmdline`);
const statusOf = (pid: number): string => readText(`/proc/${pid}/status`) ?? 'State: X';
const childrenOf = (pid: number): readonly string[] =>
  (readText(`/proc/${pid}/task/${pid}/children`) ?? '').split(' ');

export class RunningAgent {
  readonly host: Host;
  readonly directory: string;
  readonly policyFile: string;
  readonly #entry: string;
  readonly #directory: DisposableTempDir;
  #child: ChildProcess | undefined;
  log = '';

  /** `entry` starts it: of this tree, or of one that is installed. */
  constructor(host: Host, entry = program) {
    this.host = host;
    this.#entry = entry;
    // Removes what a killed run has left.
    releaseAll(host, { kill: true });
    for (const path of [host.paths.runtime, host.paths.state])
      rmSync(path, { recursive: true, force: true });
    mkdirSync('/root', { recursive: true });
    this.#directory = temporaryDirectory('agent', '/root');
    this.directory = this.#directory.path;
    this.policyFile = `${this.directory}/policy.xml`;
  }

  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  writePolicy(body: string): void {
    const driver = treeElement(this.host.paths);
    writeFileSync(this.policyFile, `<bulkhead version="1">${driver}\n${body}\n</bulkhead>\n`);
  }

  makeRuntime(): void {
    mkdirSync(this.host.paths.runtime, { recursive: true, mode: 0o755 });
  }

  /** Starts it. `output`: a descriptor for what it logs, instead of `log`. */
  async start(environment: NodeJS.ProcessEnv = {}, output?: number): Promise<void> {
    const args = ['--instance', this.host.paths.instance, 'agent', '--policy', this.policyFile];
    const child = spawn(this.#entry, args, {
      stdio: ['ignore', output ?? 'pipe', output ?? 'pipe'],
      env: { ...process.env, ...environment },
    });
    const add = (chunk: Buffer) => (this.log += chunk.toString());
    child.stdout?.on('data', add);
    child.stderr?.on('data', add);
    this.#child = child;
    await this.until('it has applied its policy', async () => {
      const { status, json } = await this.ask('/v1/status');
      return status === 200 && json<StatusResponse>().starting?.doing !== 'applying the policy';
    });
  }

  /**
   * Stops the agent, and waits for the process that applies the policy for it, which goes on when
   * the agent is killed.
   */
  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
    const child = this.#child;
    this.#child = undefined;
    if (child === undefined || child.exitCode !== null) return child?.exitCode ?? null;
    const { pid = 0 } = child;
    const exited = once(child, 'exit');
    // While it is stopped, it starts no process that we would not see.
    child.kill('SIGSTOP');
    await eventually('the agent has stopped', () => /^State:\s+[TZX]/m.test(statusOf(pid)));
    const itself = commandOf(pid) ?? '';
    const children = childrenOf(pid);
    child.kill(signal);
    child.kill('SIGCONT');
    const [code] = (await exited) as [number | null];
    const isApplying = (command = '') =>
      // A process that has not called execve() yet has its parent's command line.
      command.includes('/apply-child.') || (command !== '' && command === itself);
    await eventually(
      'nobody applies the policy any more',
      () => !children.some((each) => isApplying(commandOf(each))),
    );
    return code;
  }

  /** Asks as a process of `uid`, which the kernel reports to the other end. */
  ask(path: string, uid = 0, method = 'GET'): Promise<Reply> {
    return new Promise((resolve) => {
      const failed = (error: Error) =>
        resolve({ status: 0, text: error.message, headers: {}, json: () => ({}) as never });
      process.seteuid?.(uid);
      try {
        const sent = request(
          { socketPath: socketOf(this.host.paths), path, method, agent: false },
          (response) => {
            let text = '';
            response.setEncoding('utf8');
            response.on('data', (chunk: string) => (text += chunk));
            response.on('end', () =>
              resolve({
                status: response.statusCode ?? 0,
                text,
                headers: response.headers,
                // oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- says what the answer is
                json: <T>() => responseOf(`${method} ${path}`, response.statusCode ?? 0, text) as T,
              }),
            );
            response.on('error', failed);
          },
        );
        sent.on('error', failed);
        sent.setTimeout(patienceMilliseconds, () => sent.destroy(new Error('no answer')));
        sent.end();
      } finally {
        process.seteuid?.(0);
      }
    });
  }

  async status(): Promise<StatusResponse> {
    return (await this.ask('/v1/status')).json<StatusResponse>();
  }

  /** Waits until something holds, and says what did not. */
  async until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
    await eventually(what, holds, () => `The agent said:\n${this.log}`);
  }

  /** Takes what the agent has written into the host's servers out of them. */
  disableEntries(): void {
    const args = ['--instance', this.host.paths.instance, 'web', 'entries', 'disable'];
    const { status, stdout, stderr } = spawnSync(this.#entry, args, { encoding: 'utf8' });
    if (status !== 0) throw new Error(`web entries disable: ${stdout}${stderr}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop('SIGKILL');
    await eventually('all is released', () => releaseAll(this.host, { kill: true }).ok);
    const { runtime, state } = this.host.paths;
    for (const path of [runtime, state]) rmSync(path, { recursive: true, force: true });
    this.#directory.remove();
  }
}
