/** The agent applies its policy, places processes, and answers requests, whatever happens to it. */
import assert from 'node:assert/strict';
import { execFile, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, rmSync, rmdirSync, statSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { describe, test } from 'node:test';
import { promisify } from 'node:util';
import { socketOf } from '../../src/agent/api/client.ts';
import { eventually, patienceMilliseconds } from '../../testing/patience.ts';
import type { StatusResponse } from '../../src/agent/api/status-response.ts';
import { readText } from '../../packages/base/io/read.ts';
import { program } from './running-agent.ts';
import { jsonOf } from '../../testing/json-output.ts';
import type { StatusJson } from '../../src/cli/commands/json.ts';
import { AgentStage, end } from './agent-stage.ts';

const stage = new AgentStage('bulkhead-agent-test', 880_000);
const { instance, skip, alice, bob, carol, policy, runAs, isPlaced } = stage;

/** Rejects where the exit status is not 0. */
const run = promisify(execFile);

describe('the agent', { skip }, () => {
  stage.register();

  test('applies the policy when it starts, and reports it', async () => {
    const status = await stage.agent.status();
    assert.equal(status.policy.state, 'in force', status.policy.problems.join('\n'));
    assert.equal(status.tenants, 3);
    assert.equal(status.resellers, 1);
    assert.equal(status.history.state, 'on');
    await stage.agent.until(
      'it places',
      async () => (await stage.agent.status()).placement.state !== 'starting',
    );
  });

  test("places a process that becomes a tenant's, and reports none outside", async () => {
    const child = runAs(alice, 'sleep 3600');
    await stage.agent.until('it is placed', () => isPlaced(child, alice));
    const status = (await stage.agent.ask('/v1/status?fresh=1')).json<StatusResponse>();
    assert.deepEqual(status.placement.outside, []);
    end(child);
  });

  test("answers status, which shows the agent's policy", async () => {
    const args = ['--instance', instance, 'status', '--json'];
    const { stdout } = await run(program, args);
    const { tenants, agent: known } = jsonOf<Required<StatusJson>>('status', stdout);
    assert.deepEqual(tenants.map((each) => each.uid).sort(), [alice, bob, carol].sort());
    assert.equal(known.policy.file, stage.agent.policyFile);
  });

  test('refuses invalid requests with a status and a reason', async () => {
    const cases: readonly (readonly [string, number, RegExp])[] = [
      ['/v1/usage?from=x', 400, /must be a whole number/],
      ['/v1/usage?from=5&to=4', 400, /"from" must be before "to"/],
      ['/v1/series?tenant=1&metric=cpu', 404, /Cannot show tenant "1"/],
      [`/v1/series?tenant=${alice}&metric=x`, 400, /must be one of cpu/],
      ['/v1/incidents/0x1', 404, /Cannot show incident "0x1"/],
      ['/v1/nothing', 404, /Cannot find the resource: there is none at this address/],
      [`/v1/top?${'tenant=x&'.repeat(1900)}`, 431, /^$/],
    ];
    for (const [path, status, text] of cases) {
      const reply = await stage.agent.ask(path);
      assert.equal(reply.status, status, path.slice(0, 60));
      assert.match(status === 431 ? '' : reply.json<{ error: string }>().error, text);
    }
  });

  test('keeps the last valid policy while the file is invalid, also after a restart', async () => {
    writeFileSync(stage.agent.policyFile, '<bulkhead version="1"><tenat/></bulkhead>');
    await stage.agent.until('it is refused', async () => {
      const status = await stage.agent.status();
      return status.policy.state === 'refused' && status.tenants === 3;
    });
    const child = runAs(alice, 'sleep 3600');
    await stage.agent.until('it is placed all the same', () => isPlaced(child, alice));
    // Over a restart too.
    assert.equal(await stage.agent.stop(), 0);
    assert.ok(isPlaced(child, alice));
    await stage.agent.start();
    const status = await stage.agent.status();
    assert.equal(status.policy.state, 'refused');
    assert.match(status.policy.problems.join('\n'), /<tenat> is not known/);
    assert.equal(status.tenants, 3);
    stage.agent.writePolicy(policy(`\n  <tenant uid="880005"/>`));
    await stage.agent.until(
      'the new one is in force',
      async () => (await stage.agent.status()).tenants === 4,
    );
    assert.equal((await stage.agent.status()).policy.state, 'in force');
    end(child);
  });

  test('adds a new account of a uid range as a tenant, and drops a deleted one', async () => {
    const name = 'bh-agent-test';
    stage.agent.writePolicy(policy('\n  <tenants uids="880100-880110"/>'));
    await stage.agent.until(
      'the range is in force',
      async () => (await stage.agent.status()).tenants === 3,
    );
    spawnSync('userdel', [name]); // A run that was killed may have left it.
    assert.equal(spawnSync('useradd', ['-M', '-u', '880100', name]).status, 0);
    try {
      await stage.agent.until(
        'it is a tenant',
        async () => (await stage.agent.status()).tenants === 4,
      );
    } finally {
      spawnSync('userdel', [name]);
    }
    await stage.agent.until(
      'it is none any more',
      async () => (await stage.agent.status()).tenants === 3,
    );
  });

  test('makes a removed cgroup again', async () => {
    const driver = stage.agent.host.probe();
    assert.ok(driver.ok);
    for (const { rootPath } of driver.value.tree.hierarchies) {
      const children = readdirSync(`${rootPath}/u${bob}`, { withFileTypes: true });
      assert.ok(children.every((each) => !each.isDirectory()));
    }
    await stage.agent.until('it is empty and gone', () => {
      try {
        for (const { rootPath } of driver.value.tree.hierarchies) rmdirSync(`${rootPath}/u${bob}`);
        return true;
      } catch {
        return false;
      }
    });
    await stage.agent.until('it is back', () =>
      driver.value.tree.hierarchies.every(
        ({ rootPath }) => statSync(`${rootPath}/u${bob}`, { throwIfNoEntry: false }) !== undefined,
      ),
    );
    const child = runAs(bob, 'sleep 3600');
    await stage.agent.until('it is placed', () => isPlaced(child, bob));
    end(child);
  });

  test("sends READY=1 only when no tenant's process is outside", async () => {
    await stage.agent.stop();
    const child = runAs(alice, 'sleep 3600');
    await eventually("it is alice's", () =>
      readText(`/proc/${child.pid}/status`)?.includes(`\nUid:\t${alice}\t`),
    );
    assert.ok(!isPlaced(child, alice));
    const path = `${stage.agent.directory}/notify`;
    const script = `socket(S,AF_UNIX,SOCK_DGRAM,0);bind(S,sockaddr_un($ARGV[0]));$|=1;print "ready\\n";while(1){recv(S,$m,999,0);print "$m\\n"}`;
    const listener = spawn('perl', ['-MSocket', '-e', script, path], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let said = '';
    listener.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()));
    await eventually('somebody listens', () => said.includes('ready'));
    await stage.agent.start({ NOTIFY_SOCKET: path });
    await stage.agent.until('it is told', () => said.includes('READY=1'));
    assert.ok(isPlaced(child, alice));
    end(listener);
    end(child);
  });

  test('reports processes outside as unknown while its placer is stopped', async () => {
    const args = ['-x', '-P', String(stage.agent.pid), 'bulkhead-placer'];
    let placer = 0;
    await stage.agent.until('its placer is at work', () => {
      placer = Number(spawnSync('pgrep', args, { encoding: 'utf8' }).stdout);
      return placer > 0;
    });
    process.kill(placer, 'SIGSTOP');
    const fresh = async () =>
      (await stage.agent.ask('/v1/status?fresh=1')).json<StatusResponse>().placement;
    const { outside, unknown } = await fresh();
    assert.deepEqual(outside, []);
    assert.match(unknown.join('\n'), /./);
    // That one is killed, and the next one scans again.
    await stage.agent.until('it is known again', async () => (await fresh()).unknown.length === 0);
  });

  test('refuses to start while another agent of the instance runs', () => {
    const second = spawnSync(
      program,
      ['--instance', instance, 'agent', '--policy', stage.agent.policyFile],
      { encoding: 'utf8', timeout: patienceMilliseconds },
    );
    assert.equal(second.status, 1);
    assert.match(second.stderr, /Cannot start the agent: .* holds it, .*only one agent can run/);
  });

  test('answers root while 2,000 clients do not read', async () => {
    const path = socketOf(stage.agent.host.paths);
    const clients: Socket[] = [];
    try {
      for (let index = 0; index < 2000; index++) {
        // Four of five are a tenant.
        process.seteuid?.(index % 5 === 0 ? 0 : alice);
        const client = connect(path);
        client.on('error', () => {});
        client.write('GET /v1/top?all=1 HTTP/1.1\r\nHost: x\r\n\r\n');
        client.pause();
        clients.push(client);
        process.seteuid?.(0);
      }
      // It may be too busy to answer this one.
      const before = await stage.agent.ask('/v1/status').catch(() => undefined);
      const ticks = before?.status === 200 ? before.json<StatusResponse>().tick.ticks : 0;
      await stage.agent.until('it ticks on and answers', async () => {
        const reply = await stage.agent.ask('/v1/status');
        return reply.status === 200 && reply.json<StatusResponse>().tick.ticks > ticks;
      });
    } finally {
      for (const each of clients) each.destroy();
    }
    await stage.agent.until(
      'the tenant is answered too',
      async () => (await stage.agent.ask('/v1/top', alice)).status === 200,
    );
  });

  test('keeps placing while a tenant forks, exits and renames itself', async () => {
    const script = `n=0; while [ $n -lt 400 ]; do n=$((n+1)); sh -c 'exit 0' & printf 'a\\033]0;x\\nb' > /proc/self/comm; done 2>/dev/null; wait`;
    const storms = [runAs(alice, script), runAs(alice, script)];
    await Promise.all(storms.map((each) => once(each, 'exit')));
    const status = (await stage.agent.ask('/v1/status?fresh=1')).json<StatusResponse>();
    assert.deepEqual(
      status.placement.outside.filter((each) => each.uid === alice),
      [],
    );
    assert.equal(status.policy.state, 'in force');
  });

  test('answers over TCP only when the token is right', async () => {
    const url = `http://127.0.0.1:${stage.tcpPort}`;
    const get = (path: string, token: string, method = 'GET') =>
      fetch(`${url}${path}`, { method, headers: { authorization: `Bearer ${token}` } });
    const page = await get('/metrics', 'a-token-for-this-test');
    assert.equal(page.status, 200);
    assert.match(await page.text(), /^bulkhead_tenant_cpu_seconds_total\{.*uid="880001"/m);
    assert.equal((await get('/v1/status', 'a-token-for-this-test')).status, 200);
    for (const token of ['', 'a-token-for-this-tes', 'a-token-for-this-test2']) {
      const refused = await get('/metrics', token);
      assert.equal(refused.status, 403);
      assert.match(await refused.text(), /no valid token; send it as/);
    }
    assert.equal((await get('/v1/alerts/test', 'a-token-for-this-test', 'POST')).status, 403);
    const child = runAs(alice, 'sleep 3600 # secret');
    await stage.agent.until('it is placed', () => isPlaced(child, alice));
    const processes = await get(`/v1/tenants/${alice}/processes`, 'a-token-for-this-test');
    assert.doesNotMatch(await processes.text(), /secret/);
    end(child);
  });

  test('writes /var/lve/info when "cloudlinux enable" has asked for it', async () => {
    const directory = `${stage.agent.directory}/lve`;
    writeFileSync(`${stage.agent.host.paths.state}/cloudlinux`, `${directory}\n`);
    await stage.agent.until('it is there', () => existsSync(`${directory}/info`));
    assert.match(readText(`${directory}/info`) ?? '', /^0,0,0,/);
    rmSync(`${stage.agent.host.paths.state}/cloudlinux`);
  });

  test('keeps limits and processes when it is stopped', async () => {
    const child = runAs(alice, 'sleep 3600');
    await stage.agent.until('it is placed', () => isPlaced(child, alice));
    assert.equal(await stage.agent.stop('SIGINT'), 0);
    assert.ok(isPlaced(child, alice));
    assert.match(stage.agent.log, /Stopped; limits stay in force/);
    end(child);
  });
});
