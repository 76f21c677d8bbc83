/** The common part of tests of the whole agent on the kernel of this machine. */
import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before } from 'node:test';
import { freePort } from '../../testing/free-port.ts';
import type { IncidentsResponse } from '../../src/agent/api/api.ts';
import { readText } from '../../packages/base/io/read.ts';
import { hostHere } from '../conformance/host-here.ts';
import { RunningAgent } from './running-agent.ts';

const token = 'a-token-for-this-test';

/** An agent with two tenants and a reseller for the tests of one file, and processes of its tenants. */
export class AgentStage {
  readonly instance: string;
  readonly skip: string | false;
  readonly alice: number;
  readonly bob: number;
  readonly reseller: number;
  /** A tenant of the reseller. */
  readonly carol: number;
  /** Bodies that were posted to the receiver of alerts. */
  readonly webhooks: string[] = [];
  readonly #here: ReturnType<typeof hostHere>;
  readonly #receiver: Server;
  readonly #children: ChildProcess[] = [];
  #agent: RunningAgent | undefined;
  tcpPort = 0;
  #tokenFile = '';

  constructor(instance: string, uidsFrom: number) {
    this.instance = instance;
    [this.alice, this.bob, this.reseller, this.carol] = [1, 2, 3, 4].map(
      (each) => uidsFrom + each,
    ) as [number, number, number, number];
    this.#here = hostHere(instance);
    this.skip = 'skip' in this.#here ? this.#here.skip : false;
    this.#receiver = createServer((request, response) => {
      let text = '';
      request.on('data', (chunk: Buffer) => (text += chunk.toString()));
      request.on('end', () => {
        this.webhooks.push(text);
        response.end();
      });
    });
  }

  get agent(): RunningAgent {
    assert.ok(this.#agent, 'no agent was started');
    return this.#agent;
  }

  /** Starts the agent before the tests, and removes everything afterwards. */
  register(): void {
    before(async () => {
      if ('skip' in this.#here) return;
      this.#agent = new RunningAgent(this.#here.host);
      this.#receiver.listen(0, '127.0.0.1');
      await once(this.#receiver, 'listening');
      this.tcpPort = await freePort();
      this.#tokenFile = `${this.agent.directory}/token`;
      writeFileSync(this.#tokenFile, `${token}\n`, { mode: 0o600 });
      this.agent.writePolicy(this.policy());
      await this.agent.start();
    });
    after(async () => {
      for (const each of this.#children) end(each);
      this.#receiver.closeAllConnections();
      this.#receiver.close();
      await this.#agent?.[Symbol.asyncDispose]();
    });
  }

  readonly policy = (more = ''): string => {
    const { port } = this.#receiver.address() as AddressInfo;
    return `  <agent interval="1s" listen="127.0.0.1:${this.tcpPort}" token="${this.#tokenFile}">
    <alerts><webhook to="administrator" url="http://127.0.0.1:${port}/" severity="refused"/></alerts>
  </agent>
  <defaults><cpu limit="30%"/><memory limit="32MiB"/><processes limit="20"/></defaults>
  <tenant uid="${this.alice}"/>
  <tenant uid="${this.bob}"><cpu limit="150%"/></tenant>
  <reseller uid="${this.reseller}"><cpu limit="100%"/><tenant uid="${this.carol}"/></reseller>${more}`;
  };

  /** Starts a process that changes its own uid to the tenant's, as cron and sshd do. */
  readonly runAs = (uid: number, script: string): ChildProcess => {
    const args = ['--reuid', `${uid}`, '--regid', `${uid}`, '--clear-groups', 'sh', '-c', script];
    const child = spawn('setpriv', args, { stdio: 'ignore' });
    this.#children.push(child);
    return child;
  };

  readonly isPlaced = (child: ChildProcess, uid: number): boolean => {
    const cgroups = (readText(`/proc/${child.pid ?? 0}/cgroup`) ?? '')
      .split('\n')
      .filter((line) => line.includes(`/${this.instance}`));
    return cgroups.length > 0 && cgroups.every((line) => line.endsWith(`/u${uid}`));
  };

  readonly incidents = async (uid = 0): Promise<IncidentsResponse['incidents']> =>
    (await this.agent.ask('/v1/incidents', uid)).json<IncidentsResponse>().incidents;
}

export function end(child: ChildProcess): void {
  child.kill('SIGKILL');
}
