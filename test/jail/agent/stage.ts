/** A real agent, and processes in the jails of its tenants that ask it. */
import assert from 'node:assert/strict';
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { compileExec } from '../../../scripts/entry.ts';
import { patienceMilliseconds } from '../../../testing/patience.ts';
import { RunningAgent, program } from '../../agent/running-agent.ts';
import { hostHere } from '../../conformance/host-here.ts';
import { reasonToSkip } from '../stage.ts';

/** Sends a request to a socket and prints the response. Every Debian has what it needs. */
const client = `use IO::Socket::UNIX;
my ($socket, $method, $path) = @ARGV;
my $to = IO::Socket::UNIX->new(Peer => $socket) or die "connect: $!\\n";
print $to "$method $path HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n";
print while <$to>;`;

export const socketInside = '/run/bulkhead/control.sock';

export interface Response {
  readonly status: number;
  readonly body: unknown;
}

export class AgentInJailStage {
  readonly instance: string;
  readonly skip: string | false;
  readonly #here: ReturnType<typeof hostHere>;
  readonly #launcher = compileExec();
  #agent: RunningAgent | undefined;

  constructor(instance: string) {
    this.instance = instance;
    this.#here = hostHere(instance);
    this.skip = reasonToSkip() || ('skip' in this.#here && this.#here.skip);
  }

  /** An agent that does not run yet. */
  prepare(policy: string): void {
    assert.ok('host' in this.#here);
    this.#agent = new RunningAgent(this.#here.host);
    this.agent.writePolicy(policy);
  }

  get agent(): RunningAgent {
    assert.ok(this.#agent, 'no agent was made');
    return this.#agent;
  }

  bulkhead(...args: readonly string[]): string {
    const all = ['--instance', this.instance, ...args];
    const { status, stdout, stderr } = spawnSync(program, all, { encoding: 'utf8' });
    assert.equal(status, 0, `${args.join(' ')}: ${stdout}${stderr}`);
    return stdout;
  }

  /** Builds the jails, as `bulkhead-jail.service` does. */
  apply(): void {
    this.bulkhead('apply', this.agent.policyFile);
  }

  commandInside(uid: number, ...command: readonly string[]): readonly string[] {
    return [this.#launcher, '--instance', this.instance, `${uid}`, '--', ...command];
  }

  /** Starts a command in the tenant's jail; the caller ends it. */
  startInside(uid: number, ...command: readonly string[]): ChildProcess {
    const [file = '', ...args] = this.commandInside(uid, ...command);
    return spawn(file, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  }

  inside(uid: number, ...command: readonly string[]): { status: number | null; text: string } {
    const [file = '', ...args] = this.commandInside(uid, ...command);
    const options = { encoding: 'utf8', timeout: patienceMilliseconds } as const;
    const { status, stdout, stderr } = spawnSync(file, args, options);
    return { status, text: stdout + stderr };
  }

  /** Asks from the tenant's jail. */
  ask(uid: number, path: string, method = 'GET'): Response {
    return responseOf(this.inside(uid, 'perl', '-e', client, socketInside, method, path).text);
  }

  /** Asks from outside, with any command in front of the client. */
  askOutside(socket: string, prefix: readonly string[], path: string): Response {
    const [file, ...args] = [...prefix, 'perl', '-e', client, socket, 'GET', path];
    const options = { encoding: 'utf8', timeout: patienceMilliseconds } as const;
    const { stdout, stderr } = spawnSync(file, args, options);
    return responseOf(stdout + stderr);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#agent?.stop();
    this.bulkhead('release', '--kill');
    await this.#agent?.[Symbol.asyncDispose]();
  }
}

function responseOf(text: string): Response {
  const [head = '', ...rest] = text.split('\r\n\r\n');
  const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(head)?.[1] ?? 0);
  const body = rest.join('\r\n\r\n');
  return { status, body: status === 0 ? text : parsed(body) };
}

function parsed(text: string): unknown {
  const json = text.slice(text.indexOf('{'), text.lastIndexOf('}') + 1);
  try {
    return JSON.parse(json);
  } catch {
    return text;
  }
}
