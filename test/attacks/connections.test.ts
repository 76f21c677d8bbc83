/**
 * Tenants that send endless bodies, and that keep as many connections as they get. The agent must read
 * little of the former. It must answer root and clients with the token all the while.
 */
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { after, before, describe, test } from 'node:test';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { socketOf } from '../../src/agent/api/client.ts';
import { freePort } from '../../testing/free-port.ts';
import { suiteDirectory } from '../../testing/temporary-directory.ts';
import { RunningAgent } from '../agent/running-agent.ts';
import { hostHere } from '../conformance/host-here.ts';
import { buildProgram, programsReady } from '../placer/programs.ts';

const here = hostHere('bulkhead-connections');
const ready = await programsReady();
const skip = 'skip' in here ? here.skip : !ready.ok && ready.reason;
const tenants = [64_261, 64_262];
const token = 'a-token-of-this-test-alone';
/** The limit of memory: sockets use a few megabytes in the kernel before anybody reads them. */
const bytesMax = 64 * 2 ** 20;

describe('connections of tenants to the agent', { skip }, () => {
  let agent: RunningAgent;
  let port = 0;
  // Tenants must reach it.
  const directory = suiteDirectory('connections', '/var/tmp', 0o711);
  let program = '';

  before(async () => {
    if ('skip' in here) return;
    program = buildProgram(fileURLToPath(new URL('connections.c', import.meta.url)), directory);
    agent = new RunningAgent(here.host);
    port = await freePort();
    const tokenFile = `${agent.directory}/token`;
    writeFileSync(tokenFile, `${token}\n`, { mode: 0o600 });
    const list = tenants.map((uid) => `<tenant uid="${uid}"/>`).join('');
    agent.writePolicy(`<agent listen="127.0.0.1:${port}" token="${tokenFile}"/>${list}`);
    await agent.start();
  });

  after(() => agent[Symbol.asyncDispose]());

  /** Returns the status or error that a client with the token gets. */
  const scrape = (): Promise<number | string> =>
    new Promise((resolve) => {
      const headers = { authorization: `Bearer ${token}` };
      const sent = request({ port, path: '/metrics', headers, agent: false }, (response) => {
        response.resume();
        response.once('end', () => resolve(response.statusCode ?? 0));
        response.once('error', ({ message }) => resolve(message));
      });
      sent.once('error', ({ message }) => resolve(message));
      sent.end();
    });

  test('the agent cuts a request body without end, over TCP and over its socket', async () => {
    for (const where of [String(port), socketOf(agent.host.paths)]) {
      for (const uid of [0, ...tenants]) {
        const { stdout } = await promisify(execFile)(program, [String(uid), 'body', where]);
        assert.ok(Number(stdout) < bytesMax, `${stdout.trim()} bytes were taken from ${uid}`);
      }
    }
    assert.equal((await agent.ask('/v1/status')).status, 200);
  });

  test('a tenant with the maximum number of connections keeps nobody else out', async () => {
    const dropped = new Map<string, number>();
    const attacks = [String(port), socketOf(agent.host.paths)].flatMap((where) =>
      tenants.map((uid) => {
        const child = spawn(program, [String(uid), 'idle', where, '400'], {
          stdio: ['ignore', 'pipe', 'inherit'],
        });
        createInterface(child.stdout).on('line', (line) => dropped.set(where, Number(line)));
        return child;
      }),
    );
    try {
      await agent.until('they have all that they get', () => dropped.size === 2);
      for (let asked = 0; asked < 50; asked++) {
        assert.equal(await scrape(), 200);
        assert.equal((await agent.ask('/v1/status')).status, 200);
      }
      // Each of the first ones had to go for another, and more than once.
      await agent.until('strangers are dropped', () => (dropped.get(String(port)) ?? 0) > 400);
      assert.equal(await scrape(), 200);
    } finally {
      for (const each of attacks) each.kill('SIGKILL');
    }
    await agent.until('tenants are answered again', async () => {
      const answers = await Promise.all(tenants.map((uid) => agent.ask('/v1/top', uid)));
      return answers.every(({ status }) => status === 200);
    });
  });
});
