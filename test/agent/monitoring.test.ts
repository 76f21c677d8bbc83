/** The examples for Prometheus and Grafana with a real agent: scraped, loaded and asked by a Prometheus server. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { freePort } from '../../testing/free-port.ts';
import { eventually } from '../../testing/patience.ts';
import { suiteDirectory } from '../../testing/temporary-directory.ts';
import { AgentStage } from './agent-stage.ts';
import { dashboard, expressionsOf, familiesIn, filledIn } from './dashboard-queries.ts';
import { parse } from './exposition-samples.ts';

const hasPrometheus = spawnSync('prometheus', ['--version']).error === undefined;
const stage = new AgentStage('bulkhead-monitoring', 47_800);
const skip = stage.skip || (hasPrometheus ? false : 'needs prometheus (Debian: prometheus)');

const examples = new URL('../../examples/prometheus/', import.meta.url).pathname;
const directory = suiteDirectory('monitoring');
const rulesFile = join(examples, 'bulkhead.rules.yml');

/** Families that need what this machine may lack: quotas, jails, limits of I/O, a kernel with PSI, guards. */
const mayLack =
  /^bulkhead_(tenant_disk_|tenant_limit_(disk|io)_|tenant_mail_|host_pressure_|protection_)/;

interface Answer {
  readonly status: string;
  readonly data: { readonly result: readonly unknown[] };
}

describe('a Prometheus server with the examples', { skip }, () => {
  let prometheus: ChildProcess | undefined;
  let port = 0;
  let page = '';

  const get = async <T>(path: string): Promise<T> =>
    (await (await fetch(`http://127.0.0.1:${port}/api/v1/${path}`)).json()) as T;
  const ask = (query: string) => get<Answer>(`query?query=${encodeURIComponent(query)}`);

  stage.register();
  before(async () => {
    stage.runAs(stage.alice, 'while :; do :; done');
    // Two of the agent's ticks at least, so that rates have something.
    await stage.agent.until('alice used the CPU', async () => {
      page = (await stage.agent.ask('/metrics')).text;
      const samples = parse(page).get('bulkhead_tenant_cpu_seconds_total')?.samples ?? [];
      return samples.some(({ labels, value }) => labels['uid'] === `${stage.alice}` && value > 0);
    });
    port = await freePort();
    const options = [
      `--config.file=${configFor(stage.tcpPort)}`,
      `--storage.tsdb.path=${join(directory, 'data')}`,
      `--web.listen-address=127.0.0.1:${port}`,
    ];
    prometheus = spawn('prometheus', options, { stdio: 'ignore' });
    await eventually('Prometheus has scraped the agent twice', async () => {
      const answer = await ask('rate(bulkhead_agent_ticks_total[1m]) > 0').catch(() => undefined);
      return answer !== undefined && answer.data.result.length > 0;
    });
  });
  after(async () => {
    if (prometheus === undefined) return;
    const ended = once(prometheus, 'exit');
    prometheus.kill('SIGKILL');
    await ended;
  });

  /** The example, with the agent's address and token, and scraped as often as it may be. */
  function configFor(agentPort: number): string {
    const file = join(directory, 'scrape.yml');
    const text = readFileSync(join(examples, 'scrape.yml'), 'utf8')
      .replaceAll('/etc/prometheus/bulkhead.token', `${stage.agent.directory}/token`)
      .replaceAll('127.0.0.1:9640', `127.0.0.1:${agentPort}`)
      .replace('  - bulkhead.rules.yml', `  - ${rulesFile}`)
      .replaceAll('15s', '2s')
      .replace('scrape_timeout: 10s', 'scrape_timeout: 2s');
    writeFileSync(file, text);
    chmodSync(directory, 0o755);
    return file;
  }

  test('loads and evaluates every rule', async () => {
    interface Rules {
      readonly data: { readonly groups: readonly { readonly rules: readonly Rule[] }[] };
    }
    interface Rule {
      readonly name: string;
      readonly health: string;
      readonly annotations: Readonly<Record<string, string>>;
    }
    const written = readFileSync(rulesFile, 'utf8').match(/- alert: \w+/g) ?? [];
    const rules = await eventually('every rule was evaluated', async () => {
      const { groups } = (await get<Rules>('rules')).data;
      const all = groups.flatMap((each) => each.rules);
      return all.every(({ health }) => health !== 'unknown') ? all : undefined;
    });
    assert.equal(rules.length, written.length);
    for (const { name, health, annotations } of rules) {
      assert.equal(health, 'ok', name);
      assert.deepEqual(Object.keys(annotations).sort(), ['description', 'summary'], name);
    }
  });

  test('finds on the page of a real agent every family that rules and dashboard name', () => {
    const families = parse(page);
    const queries = expressionsOf(dashboard).join('\n') + readFileSync(rulesFile, 'utf8');
    const missing = [...familiesIn(queries)].filter((name) => !families.has(name));
    assert.deepEqual(
      missing.filter((name) => !mayLack.test(name)),
      [],
    );
  });

  test('answers every query of the dashboard', async () => {
    const families = parse(page);
    const alice = families
      .get('bulkhead_tenant_processes')
      ?.samples.find(({ labels }) => labels['uid'] === `${stage.alice}`)?.labels['tenant'];
    for (const expression of expressionsOf(dashboard)) {
      const query = filledIn(expression, alice ?? '', '1m');
      const answer = await ask(query);
      assert.equal(answer.status, 'success', query);
      const isKnown = [...familiesIn(query)].every((name) => families.has(name));
      // Faults need a limit that was hit, which a comparison with 0 waits for.
      if (!isKnown || / > 0/.test(query)) continue;
      assert.ok(answer.data.result.length > 0, `${query} has data`);
    }
  });
});
