/** A whole agent on the kernel of this machine, whose policy the page changes. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { socketOf } from '../../../src/agent/api/client.ts';
import type { ConsoleCodeResponse } from '../../../src/agent/api/console-api.ts';
import type { Host } from '../../../src/host/host.ts';
import { consoleAgentSocketOf } from '../../../src/host/paths.ts';
import { RunningAgent } from '../../agent/running-agent.ts';
import { ask } from '../stage.ts';
import type { ConsoleAgent } from './browser.ts';

export const uids = { alice: 887_001, bob: 887_002, acme: 887_003, carol: 887_004 } as const;

export const policyBody = `  <!-- kept -->
  <defaults><cpu limit="100%"/><memory limit="64MiB"/></defaults>
  <package name="small"><cpu limit="50%"/></package>
  <package name="R&amp;D &lt;b&gt; (big)"><cpu limit="400%"/></package>
  <tenant uid="${uids.alice}"><cpu limit="80%"/></tenant> <!-- alice -->
  <tenant uid="${uids.bob}" package="small"/>
  <reseller uid="${uids.acme}" may="limits"><cpu limit="200%"/><tenant uid="${uids.carol}"/></reseller>`;

/** Only accounts log in. */
const resellerName = 'bh-policy-page';
const removeReseller = () => spawnSync('userdel', [resellerName]);

export class PolicyAgent implements ConsoleAgent {
  readonly front: string;
  readonly #agent: RunningAgent;
  readonly #control: string;

  private constructor(host: Host) {
    removeReseller(); // A run that was killed may have left it.
    const user = ['-u', String(uids.acme), '-M', '-N', '-d', '/', '-s', '/bin/sh', '-p', '*'];
    execFileSync('useradd', [...user, resellerName]);
    this.#agent = new RunningAgent(host);
    this.#control = socketOf(host.paths);
    this.front = consoleAgentSocketOf(host.paths);
  }

  static async start(host: Host, body = policyBody): Promise<PolicyAgent> {
    const agent = new PolicyAgent(host);
    agent.#agent.writePolicy(body);
    await agent.#agent.start();
    return agent;
  }

  /** The text of the policy on disk. */
  get text(): string {
    return readFileSync(this.#agent.policyFile, 'utf8');
  }

  /** Changes the policy as an editor does. */
  edit(body: string): void {
    this.#agent.writePolicy(body);
  }

  async code(uid: number): Promise<string> {
    const reply = await ask(this.#control, '/v1/console/codes', { method: 'POST', uid });
    assert.equal(reply.status, 200, reply.text);
    return reply.json<ConsoleCodeResponse>().code;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#agent[Symbol.asyncDispose]();
    removeReseller();
  }
}
