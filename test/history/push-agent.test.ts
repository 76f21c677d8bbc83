/** `bulkhead history push` as its account, and a real agent. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, chownSync, existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import type { HistoryPushJson } from '../../src/history/commands/json.ts';
import { windowMilliseconds } from '../../src/usage/push/window.ts';
import { jsonOf } from '../../testing/json-output.ts';
import { eventually } from '../../testing/patience.ts';
import { suiteDirectory } from '../../testing/temporary-directory.ts';
import { AgentStage } from '../agent/agent-stage.ts';
import { program } from '../agent/running-agent.ts';

const stage = new AgentStage('bulkhead-history-push', 47_900);
const account = 'bulkhead-history';

describe('the process that pushes the history', { skip: stage.skip }, () => {
  const directory = suiteDirectory('history-push-agent', '/tmp', 0o755);
  const state = join(directory, 'state');
  const credentials = join(directory, 'credentials');
  const bodies: number[] = [];
  const tokens: (string | undefined)[] = [];
  /** Requests that nobody answers. */
  let held: ServerResponse[] | undefined;
  let uid = 0;
  const server = createServer((request, response) => {
    let length = 0;
    request.on('data', (chunk: Buffer) => (length += chunk.length));
    request.on('end', () => {
      bodies.push(length);
      tokens.push(request.headers.authorization);
      if (held === undefined) response.writeHead(204).end();
      else held.push(response);
    });
  });

  before(async () => {
    execFileSync('useradd', ['--system', '--no-create-home', '--shell', '/bin/false', account]);
    uid = Number(execFileSync('id', ['-u', account], { encoding: 'utf8' }));
    for (const each of [state, credentials]) {
      mkdirSync(each);
      chmodSync(each, 0o700);
      chownSync(each, uid, uid);
    }
    writeFileSync(join(credentials, 'token'), 'secret\n');
    chmodSync(join(credentials, 'token'), 0o444);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
  });
  stage.register();
  after(() => {
    server.closeAllConnections();
    server.close();
    execFileSync('userdel', [account]);
  });

  const lastWindow = () =>
    Math.floor(Date.now() / windowMilliseconds) * windowMilliseconds - windowMilliseconds;

  function start(as: number, ...more: readonly string[]) {
    const identity = ['--reuid', `${as}`, '--regid', `${as}`, '--clear-groups'];
    const command = [program, '--instance', stage.instance, 'history', 'push', ...more];
    return spawn('setpriv', [...identity, ...command], {
      env: { ...process.env, STATE_DIRECTORY: state, CREDENTIALS_DIRECTORY: credentials },
    });
  }

  async function push(as = uid) {
    const child = start(as, '--json');
    let [stdout, stderr] = ['', ''];
    child.stdout.on('data', (chunk: Buffer) => (stdout += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
    const [status] = (await once(child, 'close')) as [number | null];
    return { status, stdout, stderr };
  }

  test('says that the policy names no address', async () => {
    const { status, stderr } = await push();
    assert.equal(status, 1);
    assert.match(stderr, /the policy names no address.*history push=/s);
  });

  test('pushes with its token, and may do nothing else', async () => {
    const { port } = server.address() as AddressInfo;
    const url = `http://127.0.0.1:${port}/api/v1/write`;
    const agent = `<history push="${url}"/>\n    <alerts>`;
    stage.agent.writePolicy(stage.policy().replace('<alerts>', agent));
    await stage.agent.until('it knows the address', async () => {
      const asked = await stage.agent.ask(`/v1/history/window?from=${lastWindow()}`);
      return asked.status === 200 && asked.json<{ readonly url: string | null }>().url === url;
    });
    const { status, stdout, stderr } = await push();
    assert.equal(status, 0, stderr);
    const { windows, bytes, dropped } = jsonOf<HistoryPushJson>('history push', stdout);
    assert.equal(windows, bodies.length);
    assert.ok(windows >= 1 && bytes > 0);
    assert.deepEqual(dropped, { old: 0, refused: 0 });
    assert.deepEqual([...new Set(tokens)], ['Bearer secret']);
    for (const path of [
      '/v1/status',
      '/metrics',
      '/v1/policy',
      '/v1/incidents',
      '/v1/top',
      '/v1/fleet',
    ])
      assert.equal((await stage.agent.ask(path, uid)).status, 403, path);
    for (const other of [stage.alice, stage.reseller]) {
      const path = `/v1/history/window?from=${lastWindow()}`;
      assert.equal((await stage.agent.ask(path, other)).status, 403);
    }
  });

  test('begins again after it was killed', async () => {
    rmSync(join(state, 'pushed.json'), { force: true });
    held = [];
    const child = start(uid);
    const ended = once(child, 'exit');
    const waiting = held;
    await eventually('the request has come', () => waiting.length > 0 || child.exitCode !== null);
    assert.equal(child.exitCode, null);
    child.kill('SIGKILL');
    await ended;
    held = undefined;
    assert.ok(!existsSync(join(state, 'pushed.json')));
    const { status, stdout, stderr } = await push();
    assert.equal(status, 0, stderr);
    assert.ok(jsonOf<HistoryPushJson>('history push', stdout).windows >= 1);
  });
});
