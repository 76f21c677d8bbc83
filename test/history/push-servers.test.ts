/** The history, pushed to a real VictoriaMetrics and a real Prometheus, and asked back. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { hostname } from 'node:os';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { formatProblem, type Problem } from '../../packages/base/problem.ts';
import { ok } from '../../packages/base/result.ts';
import type { HistoryWindowResponse } from '../../src/agent/history/history-api.ts';
import type { PushState } from '../../src/history/core/push-state.ts';
import { pushHistory, type Pushed } from '../../src/history/io/push.ts';
import { windowMilliseconds } from '../../src/usage/push/window.ts';
import { suiteDirectory } from '../../testing/temporary-directory.ts';
import {
  begin,
  busy,
  cpuOf,
  end,
  idle,
  minute,
  owned,
  RecordedHost,
  reseller,
  windows,
} from './recorded-host.ts';
import { MetricsServer, serverKinds, skipWithout } from './servers.ts';

const directory = suiteDirectory('history-push');
const now = end + 31_000;
const host = hostname();
const everything = `[${windows * 5 + 1}m]`;

/** Asserts a number that has 16 significant bits. */
function isAbout(actual: number | undefined, expected: number): void {
  assert.ok(
    actual !== undefined && Math.abs(actual - expected) <= expected * 2 ** -16,
    `${actual} is not ${expected}`,
  );
}

for (const kind of serverKinds) {
  describe(`the history in ${kind}`, { skip: skipWithout(kind) }, () => {
    const server = new MetricsServer(kind, join(directory, kind));
    let recorded: RecordedHost;
    let runs = 0;

    before(async () => {
      recorded = new RecordedHost();
      await server.start();
      recorded.url = server.url;
    });
    after(async () => {
      await server[Symbol.asyncDispose]();
      await recorded[Symbol.asyncDispose]();
    });

    /** A process that pushes, with a state of its own that begins with `until`. */
    function pusher(
      until = begin,
      change: (window: HistoryWindowResponse) => HistoryWindowResponse = (window) => window,
    ) {
      const own = suiteDirectory(`pusher-${kind}-${runs++}`);
      const file = join(own, 'pushed.json');
      const state = (): PushState => JSON.parse(readFileSync(file, 'utf8')) as PushState;
      const rewind = (to: number) =>
        writeFileSync(file, JSON.stringify({ until: to, dropped: { old: 0, refused: 0 } }));
      rewind(until);
      const problems: Problem[] = [];
      const push = () =>
        pushHistory({
          ask: async (from) => {
            const answer = await recorded.answer(from);
            return answer.ok ? ok(change(answer.value)) : answer;
          },
          directory: own,
          token: undefined,
          now,
          onDropped: (problem) => void problems.push(problem),
          backoffMilliseconds: 1,
        });
      const pushed = async (): Promise<Pushed> => {
        const result = await push();
        assert.ok(result.ok, result.ok ? '' : formatProblem(result.error));
        return result.value;
      };
      return { push, pushed, problems, state, rewind };
    }

    /** Asserts that the server has exactly what was recorded, each sample once. */
    async function hasEverything(): Promise<void> {
      const name = 'bulkhead_history_tenant_cpu_cores';
      const [cpu, ...others] = await server.query(
        `${name}{host="${host}",uid="${busy}"}${everything}`,
        end,
      );
      assert.deepEqual(others, []);
      assert.deepEqual(cpu?.labels, {
        __name__: name,
        host,
        tenant: `uid ${busy}`,
        uid: `${busy}`,
      });
      assert.equal(cpu.samples.length, windows);
      for (const [window, [at, value]] of cpu.samples.entries()) {
        assert.equal(at, begin + (window + 1) * windowMilliseconds);
        const parts = [1, 2, 3, 4, 5].map((each) => cpuOf(at - each * minute));
        isAbout(value, parts.reduce((sum, each) => sum + each) / 5);
      }
      const [all] = await server.query(
        `bulkhead_history_host_cpu_cores{host="${host}"}${everything}`,
        end,
      );
      assert.equal(all?.samples.length, windows * 5);
      // The tenant of the reseller has half a core.
      for (const [at, value] of all.samples) isAbout(value, cpuOf(at - minute) + 0.5);
    }

    test('is what the agent recorded, once', async () => {
      const { pushed, problems, state } = pusher();
      const { windows: taken, bytes } = await pushed();
      assert.deepEqual(problems, []);
      assert.equal(taken, windows);
      assert.ok(bytes > 0);
      assert.deepEqual(state().accepted, {
        url: server.url,
        compression: kind === 'prometheus' ? 'snappy' : 'zstd',
      });
      await hasEverything();
      const uids = async (metric: string) =>
        (await server.query(`bulkhead_history_${metric}${everything}`, end)).map(
          ({ labels }) => labels['uid'] ?? '',
        );
      assert.deepEqual((await uids('tenant_memory_bytes')).sort(), [`${busy}`, `${owned}`]);
      assert.ok(!(await uids('tenant_cpu_cores')).includes(`${idle}`));
      assert.deepEqual(await uids('reseller_cpu_cores'), [`${reseller}`]);
      const [faults] = await server.query(`bulkhead_history_tenant_faults${everything}`, end);
      assert.equal(faults?.labels['limit'], 'cpu.limit');
      assert.deepEqual(
        faults.samples.map(([, count]) => count),
        Array<number>(windows).fill(10),
      );
    });

    test('is not pushed again, and not twice by a process that was killed before it noted that', async () => {
      const { pushed, rewind } = pusher();
      await pushed();
      assert.equal((await pushed()).windows, 0);
      for (const back of [1, 3, windows]) {
        rewind(end - back * windowMilliseconds);
        const { windows: taken, dropped } = await pushed();
        assert.equal(taken + dropped.refused, back);
        await hasEverything();
      }
    });

    test('waits while the server is down', async () => {
      await using other = new MetricsServer(kind, join(directory, `${kind}-down`));
      await other.start();
      const { push, pushed, state } = pusher(begin, (window) => ({
        ...window,
        url: other.url,
        host: 'down',
      }));
      await other.kill();
      const failed = await push();
      assert.ok(!failed.ok);
      assert.match(failed.error.reason, /ECONNREFUSED/);
      assert.equal(state().until, begin);
      await other.start();
      assert.equal((await pushed()).windows, windows);
      const [cpu] = await other.query(
        `bulkhead_history_tenant_cpu_cores{host="down",uid="${busy}"}${everything}`,
        end,
      );
      assert.equal(cpu?.samples.length, windows);
    });

    test('keeps hostile names in their labels', async () => {
      const names = [
        'a"} 1\nbulkhead_fake{x="y',
        'back\\slash',
        'ünïcode 🚢',
        'long'.repeat(200),
        '__name__=x',
        '{host="other"}',
        '\u0000\u001b[31m',
      ];
      const { pushed, problems } = pusher(end - windowMilliseconds, (window) => ({
        ...window,
        host: 'hostile',
        tenants: names.map((name, each) => ({
          name,
          uid: each,
          reseller: name,
          metrics: { cpu: 1 },
          faults: {},
        })),
      }));
      assert.equal((await pushed()).windows, 1);
      assert.deepEqual(problems, []);
      const found = await server.query('bulkhead_history_tenant_cpu_cores{host="hostile"}', end);
      const byUid = new Map(found.map(({ labels }) => [Number(labels['uid']), labels]));
      for (const [uid, name] of names.entries()) {
        const { tenant, reseller: of, ...rest } = byUid.get(uid) ?? {};
        assert.deepEqual([tenant, of], [name, name]);
        assert.deepEqual(Object.keys(rest).sort(), ['__name__', 'host', 'uid']);
      }
      assert.deepEqual(await server.query('bulkhead_fake', end), []);
    });

    test('drops what is older than a day, and counts it', async () => {
      const day = 24 * 60 * minute;
      const { pushed, problems } = pusher(end - day - 7 * windowMilliseconds, (window) => ({
        ...window,
        host: 'old',
      }));
      const { windows: taken, dropped } = await pushed();
      assert.equal(taken, 288);
      assert.deepEqual(dropped, { old: 7, refused: 0 });
      assert.deepEqual(
        problems.map(({ reason }) => reason),
        ['7 times five minutes of it are more than a day old, and are dropped'],
      );
      const [counted] = await server.query(
        'bulkhead_history_dropped_windows_total{host="old",reason="old"}',
        end,
      );
      assert.equal(counted?.samples[0]?.[1], 7);
    });
  });
}
