/** The agent records incidents, shows them to their tenants only, and sends alerts. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { promisify } from 'node:util';
import type {
  AlertsTestResponse,
  IncidentResponse,
  ProcessesResponse,
  TopResponse,
} from '../../src/agent/api/api.ts';
import type { UsageResponse } from '../../src/agent/api/usage-api.ts';
import type { ChartJson, SimulateJson } from '../../src/cli/commands/json.ts';
import { program } from './running-agent.ts';
import { jsonOf } from '../../testing/json-output.ts';
import { AgentStage, end } from './agent-stage.ts';

const stage = new AgentStage('bulkhead-agent-incidents', 881_000);
const { instance, skip, alice, bob, reseller, carol, webhooks, runAs, isPlaced, incidents } = stage;

/** Rejects where the exit status is not 0. */
const run = promisify(execFile);
/** Shell: waits until the placer has come, in all hierarchies. */
const oncePlaced = `until grep -q '/${instance}' /proc/self/cgroup; do sleep 0.1; done; sleep 0.2`;

describe('incidents of the agent', { skip }, () => {
  stage.register();

  const top = async (uid = 0) => (await stage.agent.ask('/v1/top', uid)).json<TopResponse>();

  test('records an incident with evidence when a CPU limit is hit', async () => {
    const busy = runAs(alice, 'while :; do :; done # \u001b[31mred\u0007');
    await stage.agent.until('an incident begins', async () =>
      (await incidents()).some(
        (each) => each.limit === 'cpu.limit' && each.member === `u${alice}` && each.snapshots > 0,
      ),
    );
    await stage.agent.until('it stands at its limit', async () => {
      const row = (await top()).rows.find((each) => each.member === `u${alice}`);
      if (row === undefined) return false;
      assert.ok((row.faults['cpu.limit'] ?? 0) > 0);
      return row.usage.cpu > 0.2 && row.usage.cpu < 0.4;
    });
    const [incident] = await incidents();
    await stage.agent.until('its evidence is there', async () => {
      const found = (
        await stage.agent.ask(`/v1/incidents/${incident?.id}`)
      ).json<IncidentResponse>();
      return found.evidence.length > 0;
    });
    const text = (await stage.agent.ask(`/v1/incidents/${incident?.id}`)).text;
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
    await stage.agent.until('both are incidents', async () => {
      const found = await incidents();
      return (
        found.some((each) => each.limit === 'processes.limit' && each.severity === 'refused') &&
        found.some((each) => each.limit === 'memory.limit' && each.severity === 'killed')
      );
    });
    // Which is of the moment of the kill, not of the sample that follows it.
    await stage.agent.until('the peak and the killed process are there', async () => {
      // The kernel counts it for the reseller above, too, whose limit it was not.
      const { id } =
        (await incidents()).find(
          ({ severity, member }) => severity === 'killed' && member === `u${carol}`,
        ) ?? {};
      const { explanation } = (
        await stage.agent.ask(`/v1/incidents/${id}`)
      ).json<IncidentResponse>();
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
    await stage.agent.until('it is placed', () => isPlaced(own, carol));
    await stage.agent.until('a tick saw it', async () =>
      (await top()).rows.some((each) => each.member === `u${carol}`),
    );
    const members = async (uid: number) => (await top(uid)).rows.map((each) => each.member).sort();
    assert.deepEqual(await members(carol), [`u${carol}`]);
    assert.deepEqual(await members(reseller), [`r${reseller}`, `u${carol}`]);
    assert.equal((await stage.agent.ask('/v1/top', 881_099)).status, 403);
    assert.equal((await stage.agent.ask(`/v1/tenants/${alice}/processes`, carol)).status, 404);
    assert.equal((await stage.agent.ask('/v1/status', carol)).status, 403);
    assert.equal((await stage.agent.ask('/metrics', carol)).status, 403);
    assert.equal((await stage.agent.ask('/v1/alerts/test', carol, 'POST')).status, 403);
    const processes = async (uid: number) =>
      (await stage.agent.ask(`/v1/tenants/${carol}/processes`, uid)).json<ProcessesResponse>()
        .processes;
    const commands = async (uid: number) => (await processes(uid)).map((each) => each.command);
    assert.ok((await commands(carol)).some((each) => each?.includes('secret')));
    assert.ok((await commands(0)).some((each) => each?.includes('secret')));
    assert.deepEqual(
      (await commands(reseller)).filter((each) => each !== undefined),
      [],
    );
    for (const each of await incidents(reseller)) {
      assert.ok([`u${carol}`, `r${reseller}`].includes(each.member));
      const text = (await stage.agent.ask(`/v1/incidents/${each.id}`, reseller)).text;
      assert.ok(!text.includes('/dev/zero'));
    }
    end(own);
  });

  test('answers GET /v1/usage from the history', async () => {
    const path = `/v1/usage?tenant=${alice}`;
    const usage = (await stage.agent.ask(path)).json<UsageResponse>();
    assert.ok(usage.measuredSeconds > 0);
    const cpu = usage.rows[0]?.metrics.cpu;
    assert.ok(cpu !== undefined && cpu.max > 0.1 && cpu.average > 0 && cpu.p95 <= cpu.max);
    assert.ok((usage.rows[0]?.faults['cpu.limit'] ?? 0) > 0);
  });

  test('sends alerts, and a test alert on request', async () => {
    const tested = await stage.agent.ask('/v1/alerts/test', 0, 'POST');
    assert.deepEqual(
      tested.json<AlertsTestResponse>().results.map((each) => each.ok),
      [true],
    );
    await stage.agent.until('it came', () =>
      webhooks.some((each) => each.includes('processes.limit')),
    );
  });

  test('answers the monitoring commands, as text and as JSON', async () => {
    const child = runAs(alice, 'sleep 3600');
    await stage.agent.until('it is placed', () => isPlaced(child, alice));
    const [incident] = await incidents();
    const commands: readonly (readonly [words: string, expected: RegExp])[] = [
      [`status -p ${stage.agent.policyFile}`, /0 processes of tenants outside/],
      ['top --once --all', /uid 881001/],
      [`ps ${alice}`, /PID/],
      ['usage', /uid 881001/],
      [`usage ${alice} --csv`, /^.*uid/],
      ['faults', /refused/],
      [`incident ${incident?.id}`, /Limit/],
      ['advise --all', /OVERCOMMIT/],
      ['lveinfo', /881001/],
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
    end(child);
  });

  test('draws charts of its history, for each caller only what it may see', async () => {
    const asked = ['--instance', instance, 'chart'];
    const json = await run(program, [...asked, `${alice}`, '--period=10m', '--json']);
    const { panels } = jsonOf<ChartJson>('chart', json.stdout);
    const [cpu] = panels;
    assert.deepEqual([cpu?.metric, cpu?.limit], ['cpu', 0.3]);
    assert.ok(cpu?.incidents.some(({ severity }) => severity === 'throttled'));
    // The tenant exists for seconds: the rest of the ten minutes was not measured.
    assert.ok(cpu?.averages.includes(null) && (cpu.whole?.average ?? 0) > 0);
    for (const [part, max] of cpu?.maxima.entries() ?? [])
      assert.ok((max ?? 0) >= (cpu?.averages[part] ?? 0) * 0.999, `part ${part}`);
    // The limits of the others are too low for Node.js.
    const dave = carol + 1;
    const roomy = '<cpu limit="200%"/><memory limit="1GiB"/><processes limit="100"/>';
    stage.agent.writePolicy(stage.policy(`<tenant uid="${dave}">${roomy}</tenant>`));
    await stage.agent.until(
      'the policy has the tenant',
      async () => (await stage.agent.status()).tenants === 4,
    );
    const as = (uid: number, ...words: string[]) =>
      run(program, [...asked, ...words], { uid, gid: uid });
    assert.match((await as(dave)).stdout, /<title [^>]*>Use of uid 881005 on /);
    assert.match((await as(reseller, `${carol}`)).stdout, /Use of uid 881004 on /);
    for (const [uid, other] of [
      [dave, bob],
      [reseller, alice],
    ] as const)
      await assert.rejects(as(uid, `${other}`), /there is none with that name that you may see/);
  });

  test('replays its history against other limits', async () => {
    const file = `${stage.agent.directory}/new.xml`;
    const limits = '<cpu limit="10%"/><memory limit="32MiB"/><processes limit="20"/>';
    writeFileSync(
      file,
      `<bulkhead version="1"><defaults>${limits}</defaults><tenant uid="${alice}"/></bulkhead>`,
    );
    const asked = ['--instance', instance, 'simulate', '--policy', file, '--period', '1h'];
    const { stdout } = await run(program, [...asked, '--tenant', `${alice}`, '--json']);
    const { limits: changed } = jsonOf<SimulateJson>('simulate', stdout);
    const [cpu] = changed;
    assert.deepEqual(
      [changed.length, cpu?.limit, cpu?.effect, cpu?.before, cpu?.after],
      [1, 'cpu.limit', 'slowed', '30%', '10%'],
    );
    const { secondsMin = 0, secondsMax, stretches, measuredSeconds = 0, happened = 0 } = cpu ?? {};
    assert.ok(happened > 0 && secondsMin <= measuredSeconds && measuredSeconds > 0, stdout);
    // It was held at 30 %, so that nobody knows how much it wanted.
    assert.deepEqual([secondsMax, stretches], [undefined, 1], stdout);
    assert.match(
      (await run(program, asked)).stdout,
      /WOULD BE[\s\S]*uid 881001 +cpu +30% +10% +slowed/,
    );
  });

  test('keeps its incidents, and processes their cgroups, when it is killed', async () => {
    const before = await incidents();
    assert.ok(before.length > 0);
    const child = runAs(alice, 'sleep 3600');
    await stage.agent.until('it is placed', () => isPlaced(child, alice));
    await stage.agent.stop('SIGKILL');
    assert.ok(isPlaced(child, alice));
    await stage.agent.start();
    const ids = new Set((await incidents()).map((each) => each.id));
    for (const each of before) assert.ok(ids.has(each.id));
    end(child);
  });
});
