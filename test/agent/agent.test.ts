/** The agent as a whole, on the kernel of this machine. */
import assert from 'node:assert/strict';
import { execFile, spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, rmSync, rmdirSync, statSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { after, before, describe, test } from 'node:test';
import { promisify } from 'node:util';
import { socketOf } from '../../src/agent/api/client.ts';
import { eventually, patienceMilliseconds } from '../../testing/patience.ts';
import { freePort } from '../../testing/free-port.ts';
import type {
  AlertsTestResponse,
  IncidentResponse,
  IncidentsResponse,
  ProcessesResponse,
  StatusResponse,
  TopResponse,
  UsageResponse,
} from '../../src/agent/api/api.ts';
import { readText } from '../../packages/base/io/read.ts';
import { hostHere } from '../conformance/host-here.ts';
import { program, RunningAgent } from './running-agent.ts';
import { jsonOf } from '../../testing/json-output.ts';
import type { StatusJson } from '../../src/cli/commands/json.ts';

const instance = 'bulkhead-agent-test';
const here = hostHere(instance);
const skip = 'skip' in here ? here.skip : false;
const [alice, bob, reseller, carol] = [880_001, 880_002, 880_003, 880_004] as const;

/** Rejects where the exit status is not 0. */
const run = promisify(execFile);
const webhooks: string[] = [];
/** Takes what is posted to it. */
const receiver = createServer((request, response) => {
  let text = '';
  request.on('data', (chunk: Buffer) => (text += chunk.toString()));
  request.on('end', () => {
    webhooks.push(text);
    response.end();
  });
});
const portOf = (server: Server) => (server.address() as AddressInfo).port;
let tcpPort = 0;
let tokenFile = '';

const policy = (
  more = '',
) => `  <agent interval="1s" listen="127.0.0.1:${tcpPort}" token="${tokenFile}">
    <alerts><webhook to="administrator" url="http://127.0.0.1:${portOf(receiver)}/" severity="refused"/></alerts>
  </agent>
  <defaults><cpu limit="30%"/><memory limit="32MiB"/><processes limit="20"/></defaults>
  <tenant uid="${alice}"/>
  <tenant uid="${bob}"><cpu limit="150%"/></tenant>
  <reseller uid="${reseller}"><cpu limit="100%"/><tenant uid="${carol}"/></reseller>${more}`;

/** Shell: waits until the placer has come, in all hierarchies. */
const oncePlaced = `until grep -q '/${instance}' /proc/self/cgroup; do sleep 0.1; done; sleep 0.2`;
const shells: ChildProcess[] = [];

/** Starts a process that changes its own uid to the tenant's, as cron and sshd do. */
function runAs(uid: number, script: string): ChildProcess {
  const args = ['--reuid', `${uid}`, '--regid', `${uid}`, '--clear-groups', 'sh', '-c', script];
  const child = spawn('setpriv', args, { stdio: 'ignore' });
  shells.push(child);
  return child;
}

function end(child: ChildProcess): void {
  child.kill('SIGKILL');
}

const cgroupsOf = (pid: number) =>
  (readText(`/proc/${pid}/cgroup`) ?? '')
    .split('\n')
    .filter((line) => line.includes(`/${instance}`));

const isPlaced = (child: ChildProcess, uid: number) => {
  const cgroups = cgroupsOf(child.pid ?? 0);
  return cgroups.length > 0 && cgroups.every((line) => line.endsWith(`/u${uid}`));
};

describe('the agent', { skip }, () => {
  let agent: RunningAgent;

  before(async () => {
    if ('skip' in here) return;
    agent = new RunningAgent(here.host);
    receiver.listen(0, '127.0.0.1');
    await once(receiver, 'listening');
    tcpPort = await freePort();
    tokenFile = `${agent.directory}/token`;
    writeFileSync(tokenFile, 'a-token-for-this-test\n', { mode: 0o600 });
    agent.writePolicy(policy());
    await agent.start();
  });

  after(async () => {
    for (const each of shells) end(each);
    receiver.closeAllConnections();
    receiver.close();
    await agent[Symbol.asyncDispose]();
  });

  const top = async (uid = 0) => (await agent.ask('/v1/top', uid)).json<TopResponse>();
  const incidents = async (uid = 0) =>
    (await agent.ask('/v1/incidents', uid)).json<IncidentsResponse>().incidents;

  test('applies the policy when it starts, and reports it', async () => {
    const status = await agent.status();
    assert.equal(status.policy.state, 'in force', status.policy.problems.join('\n'));
    assert.equal(status.tenants, 3);
    assert.equal(status.resellers, 1);
    assert.equal(status.history.state, 'on');
    await agent.until(
      'it places',
      async () => (await agent.status()).placement.state !== 'starting',
    );
  });

  test("places a process that becomes a tenant's, and reports none outside", async () => {
    const child = runAs(alice, 'sleep 3600');
    await agent.until('it is placed', () => isPlaced(child, alice));
    const status = (await agent.ask('/v1/status?fresh=1')).json<StatusResponse>();
    assert.deepEqual(status.placement.outside, []);
    end(child);
  });

  test("answers status, which shows the agent's policy", async () => {
    const args = ['--instance', instance, 'status', '--json'];
    const { stdout } = await run(program, args);
    const { tenants, agent: known } = jsonOf<Required<StatusJson>>('status', stdout);
    assert.deepEqual(tenants.map((each) => each.uid).sort(), [alice, bob, carol].sort());
    assert.equal(known.policy.file, agent.policyFile);
  });

  test('records an incident with evidence when a CPU limit is hit', async () => {
    const busy = runAs(alice, 'while :; do :; done # \u001b[31mred\u0007');
    await agent.until('an incident begins', async () =>
      (await incidents()).some(
        (each) => each.limit === 'cpu.limit' && each.member === `u${alice}` && each.snapshots > 0,
      ),
    );
    await agent.until('it stands at its limit', async () => {
      const row = (await top()).rows.find((each) => each.member === `u${alice}`);
      if (row === undefined) return false;
      assert.ok((row.faults['cpu.limit'] ?? 0) > 0);
      return row.usage.cpu > 0.2 && row.usage.cpu < 0.4;
    });
    const [incident] = await incidents();
    await agent.until('its evidence is there', async () => {
      const found = (await agent.ask(`/v1/incidents/${incident?.id}`)).json<IncidentResponse>();
      return found.evidence.length > 0;
    });
    const text = (await agent.ask(`/v1/incidents/${incident?.id}`)).text;
    const found = jsonOf<IncidentResponse>('incident', text);
    assert.equal(found.severity, 'throttled');
    assert.equal(found.value, '30%');
    assert.match(found.from, /policy\.xml:5 \(defaults\)$/);
    const [process_] = found.evidence[0]?.processes ?? [];
    assert.match(process_?.command ?? '', /^sh -c while :; do :; done/);
    assert.ok(!text.includes('\\u001b') && !text.includes('\\u0007'), 'a control code got through');
    assert.ok(found.explanation.length > 0);
    end(busy);
  });

  test('records incidents when forks are refused and when processes are killed', async () => {
    runAs(bob, `${oncePlaced}; for i in $(seq 60); do sleep 3600 & done 2>/dev/null; sleep 3600`);
    const memory = runAs(carol, `${oncePlaced}; head -c 90000000 /dev/zero | tail >/dev/null`);
    await agent.until('both are incidents', async () => {
      const found = await incidents();
      return (
        found.some((each) => each.limit === 'processes.limit' && each.severity === 'refused') &&
        found.some((each) => each.limit === 'memory.limit' && each.severity === 'killed')
      );
    });
    // Which is of the moment of the kill, not of the sample that follows it.
    await agent.until('the peak and the killed process are there', async () => {
      // The kernel counts it for the reseller above, too, whose limit it was not.
      const { id } =
        (await incidents()).find(
          ({ severity, member }) => severity === 'killed' && member === `u${carol}`,
        ) ?? {};
      const { explanation } = (await agent.ask(`/v1/incidents/${id}`)).json<IncidentResponse>();
      const text = explanation.join('\n');
      return (
        /The kernel killed tail \(process \d+, which used [23]\d(\.\d)?MiB\)/.test(text) &&
        /The memory in use peaked at 3[12](\.\d)?MiB/.test(text)
      );
    });
    end(memory);
    // All of them: a cgroup is to be removed below.
    await once(runAs(bob, 'kill -9 -1'), 'exit');
    // The rest of it ends with the instance.
  });

  test('shows tenants and resellers only their own data', async () => {
    const own = runAs(carol, 'sleep 3600 # secret');
    await agent.until('it is placed', () => isPlaced(own, carol));
    await agent.until('a tick saw it', async () =>
      (await top()).rows.some((each) => each.member === `u${carol}`),
    );
    const members = async (uid: number) => (await top(uid)).rows.map((each) => each.member).sort();
    assert.deepEqual(await members(carol), [`u${carol}`]);
    assert.deepEqual(await members(reseller), [`r${reseller}`, `u${carol}`]);
    assert.equal((await agent.ask('/v1/top', 880_099)).status, 403);
    assert.equal((await agent.ask(`/v1/tenants/${alice}/processes`, carol)).status, 404);
    assert.equal((await agent.ask('/v1/status', carol)).status, 403);
    assert.equal((await agent.ask('/metrics', carol)).status, 403);
    assert.equal((await agent.ask('/v1/alerts/test', carol, 'POST')).status, 403);
    const processes = async (uid: number) =>
      (await agent.ask(`/v1/tenants/${carol}/processes`, uid)).json<ProcessesResponse>().processes;
    const commands = async (uid: number) => (await processes(uid)).map((each) => each.command);
    assert.ok((await commands(carol)).some((each) => each?.includes('secret')));
    assert.ok((await commands(0)).some((each) => each?.includes('secret')));
    assert.deepEqual(
      (await commands(reseller)).filter((each) => each !== undefined),
      [],
    );
    for (const each of await incidents(reseller)) {
      assert.ok([`u${carol}`, `r${reseller}`].includes(each.member));
      const text = (await agent.ask(`/v1/incidents/${each.id}`, reseller)).text;
      assert.ok(!text.includes('/dev/zero'));
    }
    end(own);
  });

  test('answers GET /v1/usage from the history', async () => {
    const path = `/v1/usage?tenant=${alice}`;
    const usage = (await agent.ask(path)).json<UsageResponse>();
    assert.ok(usage.measuredSeconds > 0);
    const cpu = usage.rows[0]?.metrics.cpu;
    assert.ok(cpu !== undefined && cpu.max > 0.1 && cpu.average > 0 && cpu.p95 <= cpu.max);
    assert.ok((usage.rows[0]?.faults['cpu.limit'] ?? 0) > 0);
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
      const reply = await agent.ask(path);
      assert.equal(reply.status, status, path.slice(0, 60));
      assert.match(status === 431 ? '' : reply.json<{ error: string }>().error, text);
    }
  });

  test('keeps the last valid policy while the file is invalid, also after a restart', async () => {
    writeFileSync(agent.policyFile, '<bulkhead version="1"><tenat/></bulkhead>');
    await agent.until('it is refused', async () => {
      const status = await agent.status();
      return status.policy.state === 'refused' && status.tenants === 3;
    });
    const child = runAs(alice, 'sleep 3600');
    await agent.until('it is placed all the same', () => isPlaced(child, alice));
    // Over a restart too.
    assert.equal(await agent.stop(), 0);
    assert.ok(isPlaced(child, alice));
    await agent.start();
    const status = await agent.status();
    assert.equal(status.policy.state, 'refused');
    assert.match(status.policy.problems.join('\n'), /<tenat> is not known/);
    assert.equal(status.tenants, 3);
    agent.writePolicy(policy(`\n  <tenant uid="880005"/>`));
    await agent.until('the new one is in force', async () => (await agent.status()).tenants === 4);
    assert.equal((await agent.status()).policy.state, 'in force');
    end(child);
  });

  test('adds a new account of a uid range as a tenant, and drops a deleted one', async () => {
    const name = 'bh-agent-test';
    agent.writePolicy(policy('\n  <tenants uids="880100-880110"/>'));
    await agent.until('the range is in force', async () => (await agent.status()).tenants === 3);
    spawnSync('userdel', [name]); // A run that was killed may have left it.
    assert.equal(spawnSync('useradd', ['-M', '-u', '880100', name]).status, 0);
    try {
      await agent.until('it is a tenant', async () => (await agent.status()).tenants === 4);
    } finally {
      spawnSync('userdel', [name]);
    }
    await agent.until('it is none any more', async () => (await agent.status()).tenants === 3);
  });

  test('makes a removed cgroup again', async () => {
    if ('skip' in here) return;
    const driver = here.host.probe();
    assert.ok(driver.ok);
    for (const { rootPath } of driver.value.tree.hierarchies) {
      const children = readdirSync(`${rootPath}/u${bob}`, { withFileTypes: true });
      assert.ok(children.every((each) => !each.isDirectory()));
    }
    await agent.until('it is empty and gone', () => {
      try {
        for (const { rootPath } of driver.value.tree.hierarchies) rmdirSync(`${rootPath}/u${bob}`);
        return true;
      } catch {
        return false;
      }
    });
    await agent.until('it is back', () =>
      driver.value.tree.hierarchies.every(
        ({ rootPath }) => statSync(`${rootPath}/u${bob}`, { throwIfNoEntry: false }) !== undefined,
      ),
    );
    const child = runAs(bob, 'sleep 3600');
    await agent.until('it is placed', () => isPlaced(child, bob));
    end(child);
  });

  test('keeps its incidents, and processes their cgroups, when it is killed', async () => {
    const before = await incidents();
    assert.ok(before.length > 0);
    const child = runAs(alice, 'sleep 3600');
    await agent.until('it is placed', () => isPlaced(child, alice));
    await agent.stop('SIGKILL');
    assert.ok(isPlaced(child, alice));
    await agent.start();
    const ids = new Set((await incidents()).map((each) => each.id));
    for (const each of before) assert.ok(ids.has(each.id));
    end(child);
  });

  test("sends READY=1 only when no tenant's process is outside", async () => {
    await agent.stop();
    const child = runAs(alice, 'sleep 3600');
    await eventually("it is alice's", () =>
      readText(`/proc/${child.pid}/status`)?.includes(`\nUid:\t${alice}\t`),
    );
    assert.ok(!isPlaced(child, alice));
    const path = `${agent.directory}/notify`;
    const script = `socket(S,AF_UNIX,SOCK_DGRAM,0);bind(S,sockaddr_un($ARGV[0]));$|=1;print "ready\\n";while(1){recv(S,$m,999,0);print "$m\\n"}`;
    const listener = spawn('perl', ['-MSocket', '-e', script, path], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let said = '';
    listener.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()));
    await eventually('somebody listens', () => said.includes('ready'));
    await agent.start({ NOTIFY_SOCKET: path });
    await agent.until('it is told', () => said.includes('READY=1'));
    assert.ok(isPlaced(child, alice));
    end(listener);
    end(child);
  });

  test('reports processes outside as unknown while its placer is stopped', async () => {
    const args = ['-x', '-P', String(agent.pid), 'bulkhead-placer'];
    let placer = 0;
    await agent.until('its placer is at work', () => {
      placer = Number(spawnSync('pgrep', args, { encoding: 'utf8' }).stdout);
      return placer > 0;
    });
    process.kill(placer, 'SIGSTOP');
    const fresh = async () =>
      (await agent.ask('/v1/status?fresh=1')).json<StatusResponse>().placement;
    const { outside, unknown } = await fresh();
    assert.deepEqual(outside, []);
    assert.match(unknown.join('\n'), /./);
    // That one is killed, and the next one scans again.
    await agent.until('it is known again', async () => (await fresh()).unknown.length === 0);
  });

  test('refuses to start while another agent of the instance runs', () => {
    const second = spawnSync(
      program,
      ['--instance', instance, 'agent', '--policy', agent.policyFile],
      { encoding: 'utf8', timeout: patienceMilliseconds },
    );
    assert.equal(second.status, 1);
    assert.match(second.stderr, /Cannot start the agent: .* holds it, .*only one agent can run/);
  });

  test('answers root while 2,000 clients do not read', async () => {
    const path = socketOf(agent.host.paths);
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
      const before = await agent.ask('/v1/status').catch(() => undefined);
      const ticks = before?.status === 200 ? before.json<StatusResponse>().tick.ticks : 0;
      await agent.until('it ticks on and answers', async () => {
        const reply = await agent.ask('/v1/status');
        return reply.status === 200 && reply.json<StatusResponse>().tick.ticks > ticks;
      });
    } finally {
      for (const each of clients) each.destroy();
    }
    await agent.until(
      'the tenant is answered too',
      async () => (await agent.ask('/v1/top', alice)).status === 200,
    );
  });

  test('keeps placing while a tenant forks, exits and renames itself', async () => {
    const script = `n=0; while [ $n -lt 400 ]; do n=$((n+1)); sh -c 'exit 0' & printf 'a\\033]0;x\\nb' > /proc/self/comm; done 2>/dev/null; wait`;
    const storms = [runAs(alice, script), runAs(alice, script)];
    await Promise.all(storms.map((each) => once(each, 'exit')));
    const status = (await agent.ask('/v1/status?fresh=1')).json<StatusResponse>();
    assert.deepEqual(
      status.placement.outside.filter((each) => each.uid === alice),
      [],
    );
    assert.equal(status.policy.state, 'in force');
  });

  test('answers over TCP only when the token is right', async () => {
    const url = `http://127.0.0.1:${tcpPort}`;
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
    await agent.until('it is placed', () => isPlaced(child, alice));
    const processes = await get(`/v1/tenants/${alice}/processes`, 'a-token-for-this-test');
    assert.doesNotMatch(await processes.text(), /secret/);
    end(child);
  });

  test('sends alerts, and a test alert on request', async () => {
    const tested = await agent.ask('/v1/alerts/test', 0, 'POST');
    assert.deepEqual(
      tested.json<AlertsTestResponse>().results.map((each) => each.ok),
      [true],
    );
    await agent.until('it came', () => webhooks.some((each) => each.includes('processes.limit')));
  });

  test('writes /var/lve/info when "cloudlinux enable" has asked for it', async () => {
    const directory = `${agent.directory}/lve`;
    writeFileSync(`${agent.host.paths.state}/cloudlinux`, `${directory}\n`);
    await agent.until('it is there', () => existsSync(`${directory}/info`));
    assert.match(readText(`${directory}/info`) ?? '', /^0,0,0,/);
    rmSync(`${agent.host.paths.state}/cloudlinux`);
  });

  test('answers the monitoring commands, as text and as JSON', async () => {
    const [incident] = await incidents();
    const commands: readonly (readonly [words: string, expected: RegExp])[] = [
      [`status -p ${agent.policyFile}`, /0 processes of tenants outside/],
      ['top --once --all', /uid 880001/],
      [`ps ${alice}`, /PID/],
      ['usage', /uid 880001/],
      [`usage ${alice} --csv`, /^.*uid/],
      ['faults', /refused/],
      [`incident ${incident?.id}`, /Limit/],
      ['advise --all', /OVERCOMMIT/],
      ['lveinfo', /880001/],
      ['cloudlinux-top --json', /"success"/],
      ['alerts test', /sent/],
    ];
    for (const [words, expected] of commands) {
      // This process has to answer meanwhile, as the receiver of alerts.
      const { stdout } = await run(program, ['--instance', instance, ...words.split(' ')]);
      assert.match(stdout, expected, words);
    }
    const asJson = {
      top: ['--all'],
      ps: [`${alice}`],
      usage: [],
      faults: [],
      incident: [`${incident?.id}`],
      advise: ['--all'],
      lveinfo: [],
      'cloudlinux-top': [],
    };
    for (const [name, words] of Object.entries(asJson)) {
      const args = ['--instance', instance, ...name.split(' '), ...words, '--json'];
      jsonOf(name, (await run(program, args)).stdout);
    }
    const sent = await run(program, ['--instance', instance, 'alerts', 'test', '--json']);
    assert.equal(jsonOf<AlertsTestResponse>('alerts test', sent.stdout).results.length, 1);
  });

  test('keeps limits and processes when it is stopped', async () => {
    const child = runAs(alice, 'sleep 3600');
    await agent.until('it is placed', () => isPlaced(child, alice));
    assert.equal(await agent.stop('SIGINT'), 0);
    assert.ok(isPlaced(child, alice));
    assert.match(agent.log, /Stopped; limits stay in force/);
    end(child);
  });
});
