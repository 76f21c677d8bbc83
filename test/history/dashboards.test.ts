/**
 * The dashboards and rules for what hosts push: real servers get it from the real pusher, and answer every query. Rules
 * are evaluated by Prometheus itself, and by vmalert for VictoriaMetrics. Grafana itself is not in Debian.
 */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { ok } from '../../packages/base/result.ts';
import type { HistoryTenant, HistoryWindowResponse } from '../../src/agent/history/history-api.ts';
import { metricNames } from '../../src/history/core/window-series.ts';
import { pushHistory } from '../../src/history/io/push.ts';
import { pushedMetrics, windowMilliseconds } from '../../src/usage/push/window.ts';
import { eventually } from '../../testing/patience.ts';
import { suiteDirectory } from '../../testing/temporary-directory.ts';
import { expressionsOf, familiesIn, historyDashboards } from '../agent/dashboard-queries.ts';
import { MetricsServer, serverKinds, skipWithout, type ServerKind } from './servers.ts';

const [minute, hour, day] = [60_000, 3_600_000, 86_400_000];
const end = Math.floor(Date.now() / windowMilliseconds) * windowMilliseconds;
const directory = suiteDirectory('history-dashboards');
const examples = new URL('../../examples/prometheus/', import.meta.url).pathname;
const rulesText = readFileSync(`${examples}bulkhead-history.rules.yml`, 'utf8');
const rules = join(directory, 'every-second.yml');
writeFileSync(rules, rulesText.replace('interval: 1h', 'interval: 1s'));

const metrics = Object.fromEntries(pushedMetrics.map((each) => [each, 0.5]));
const minutes = {
  seconds: [60, 60, 60, 60, 60],
  metrics: Object.fromEntries(pushedMetrics.map((each) => [each, [1, 1, 1, 1, 1]])),
};
const tenant = (name: string, uid: number, faults: HistoryTenant['faults']): HistoryTenant => ({
  name,
  uid,
  reseller: 'acme',
  metrics,
  faults,
});

/** Pushes a time of a host: alice always hits her CPU limit, and bob his memory limit since half an hour. */
async function push(
  { url }: MetricsServer,
  host: string,
  [from, to]: readonly [number, number],
  old = 0,
): Promise<void> {
  const own = suiteDirectory('history-dashboards-state');
  const state = { until: from, dropped: { old, refused: 0 } };
  writeFileSync(join(own, 'pushed.json'), JSON.stringify(state));
  const ask = (at: number) => {
    const isNew = at >= end - 30 * minute;
    const window: HistoryWindowResponse = {
      url,
      host,
      from: at,
      to: at + windowMilliseconds,
      minutes: [minutes, { ...minutes, reseller: 'acme', uid: 1000 }],
      tenants: [
        tenant('alice', 1001, { 'cpu.limit': 2 }),
        tenant('bob', 1002, isNew ? { 'memory.limit': 1 } : {}),
      ],
    };
    return Promise.resolve(ok(window));
  };
  const onDropped = () => assert.fail('something is dropped');
  // The pusher waits a moment for what the agent has not written yet.
  const now = to + minute;
  const pushed = await pushHistory({ ask, directory: own, token: undefined, now, onDropped });
  assert.ok(pushed.ok, JSON.stringify(pushed));
  assert.equal(pushed.value.windows, (to - from) / windowMilliseconds);
}

/** Evaluates the rules for the hours of the past, as vmalert does for a new rule. */
function replay(port: number): void {
  const time = (at: number) => new Date(at).toISOString();
  const server = `http://127.0.0.1:${port}`;
  const { status, stderr } = spawnSync('vmalert', [
    `-rule=${examples}bulkhead-history.rules.yml`,
    `-datasource.url=${server}`,
    `-remoteWrite.url=${server}`,
    `-replay.timeFrom=${time(end - 2 * hour)}`,
    `-replay.timeTo=${time(end)}`,
    '-replay.rulesDelay=0s',
  ]);
  assert.equal(status, 0, stderr.toString());
}

/** Puts values for Grafana's variables into a query. */
const filledIn = (expression: string) =>
  expression
    .replaceAll('$__interval_ms', `${hour}`)
    .replaceAll('$__interval', '1h')
    .replaceAll('=~"$host"', '=~"web-001|gone"')
    .replaceAll('$host', 'web-001')
    .replaceAll('$tenant', 'alice');

const isOfRules = (expression: string) => expression.includes(':sum1h');

test('dashboards and rules name only what is pushed', () => {
  const known = ['host', 'tenant', 'reseller'].flatMap((kind) =>
    Object.values(metricNames).map((name) => `bulkhead_history_${kind}_${name}`),
  );
  known.push('bulkhead_history_tenant_faults', 'bulkhead_history_dropped_windows_total');
  known.push(...[...rulesText.matchAll(/record: tenant:(\w+)/g)].map(([, name]) => name ?? ''));
  const used = familiesIn([...historyDashboards.flatMap(expressionsOf), rulesText].join('\n'));
  assert.ok(used.size > 15, [...used].join(' '));
  for (const name of used) assert.ok(known.includes(name), name);
});

test(
  'promtool accepts the rules, and passes their tests',
  { skip: skipWithout('prometheus') },
  () => {
    const cwd = join(directory, 'rules');
    cpSync(examples, cwd, { recursive: true });
    for (const args of [
      ['check', 'rules', 'bulkhead-history.rules.yml'],
      ['test', 'rules', 'bulkhead-history.rules.test.yml'],
    ]) {
      const { status, stdout, stderr } = spawnSync('promtool', args, { cwd, encoding: 'utf8' });
      assert.equal(status, 0, stdout + stderr);
    }
  },
);

for (const kind of serverKinds) {
  describe(`dashboards on ${kind}`, { skip: skipWithout(kind) }, () => {
    const server = new MetricsServer(kind, join(directory, kind), rules);

    before(async () => {
      await server.start();
      await push(server, 'web-001', [end - day - 2 * hour, end - day]);
      await push(server, 'gone', [end - 3 * hour, end - 2 * hour]);
      await push(server, 'web-001', [end - 3 * hour, end - hour]);
      await push(server, 'web-001', [end - hour, end], 3);
      if (kind === 'victoria-metrics') {
        // What was pushed can be asked for from then on.
        await server.query('bulkhead_history_host_processes', end);
        replay(server.port);
      }
    });
    after(() => server[Symbol.asyncDispose]());

    const answer = async (expression: string) => {
      const ask = () =>
        server.query(filledIn(expression), isLive(kind, expression) ? Date.now() : end + minute);
      if (!isLive(kind, expression)) return ask();
      return eventually(expression, async () => {
        const found = await ask();
        return found.length > 0 ? found : undefined;
      });
    };

    for (const board of historyDashboards)
      test(`every query of ${board.uid} has an answer`, async () => {
        for (const expression of expressionsOf(board)) {
          const found = await answer(expression);
          assert.ok(found.length > 0, expression);
          for (const { samples } of found)
            assert.ok(
              Number.isFinite(samples[0]?.[1]),
              `${expression}: ${JSON.stringify(samples)}`,
            );
        }
        for (const { name, query } of board.templating.list) {
          const [, metric, label = ''] =
            /^label_values\((\w+), (\w+)\)$/.exec(
              typeof query === 'string' ? query : query.query,
            ) ?? [];
          if (metric === undefined) continue;
          const found = await server.query(`last_over_time(${metric}[1d])`, end + minute);
          assert.ok(
            found.some(({ labels }) => labels[label] !== undefined),
            name,
          );
        }
      });

    test('new faults, silent hosts and lost windows are counted', async () => {
      const valueOf = async (uid: string, title: string) => {
        const panel = historyDashboards
          .find((each) => each.uid === uid)
          ?.panels.find((each) => each.title === title);
        const [found] = await answer(panel?.targets?.[0]?.expr ?? assert.fail(title));
        return found?.samples[0]?.[1];
      };
      assert.equal(await valueOf('bulkhead-rollout', 'Tenants with new faults'), 1);
      assert.equal(await valueOf('bulkhead-rollout', 'Faults, 1 h'), 30);
      assert.equal(await valueOf('bulkhead-rollout', 'The same hour, a day before'), 24);
      assert.equal(await valueOf('bulkhead-fleet', 'Hosts'), 1);
      assert.equal(await valueOf('bulkhead-fleet', 'Silent hosts'), 1);
      assert.ok(((await valueOf('bulkhead-fleet', 'Windows lost, 24 h')) ?? 0) >= 3);
    });

    test('alerts fire for a silent host, and for a tenant at its memory limit', async () => {
      const fired = async (alert: string, labels: string) =>
        eventually(alert, async () => {
          const at = kind === 'prometheus' ? Date.now() : end;
          const found = await server.query(
            `last_over_time(ALERTS{alertname="${alert}", ${labels}}[1h])`,
            at,
          );
          return found.length > 0;
        });
      await fired('BulkheadHistorySilent', 'host="gone"');
      await fired('BulkheadHistoryTenantAtMemoryLimit', 'tenant="bob"');
    });
  });
}

/** Whether the server itself makes the series, now. */
function isLive(kind: ServerKind, expression: string): boolean {
  return kind === 'prometheus' && isOfRules(expression);
}
