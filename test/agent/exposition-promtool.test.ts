/** The metrics page and the examples, read by promtool and by a Prometheus server. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { freePort } from '../../testing/free-port.ts';
import { eventually } from '../../testing/patience.ts';
import { contentTypes, formatFor } from '../../src/agent/metrics/content-type.ts';
import { exposition } from '../../src/agent/metrics/exposition.ts';
import { suiteDirectory } from '../../testing/temporary-directory.ts';
import { everything, hostile, pageOf, parse } from './exposition-samples.ts';

const hasPromtool = spawnSync('promtool', ['--version']).error === undefined;

const skip = hasPromtool ? false : 'needs promtool (Debian: prometheus)';

const hasPrometheus = spawnSync('prometheus', ['--version']).error === undefined;

const skipServer = hasPrometheus ? false : 'needs prometheus (Debian: prometheus)';

const examples = new URL('../../examples/prometheus/', import.meta.url).pathname;

const directory = suiteDirectory('exposition');

cpSync(examples, directory, { recursive: true });

const token = join(directory, 'token');

writeFileSync(token, 'secret\n', { mode: 0o400 });

/** The example as it stands, apart from where things are. */
function configFor(port: number): string {
  const text = readFileSync(join(directory, 'scrape.yml'), 'utf8')
    .replaceAll('/etc/prometheus/bulkhead.token', token)
    .replaceAll('127.0.0.1:9640', `127.0.0.1:${port}`)
    // Scraped often, so that there is soon something; it may take as long as one may allow.
    .replaceAll('15s', '5s')
    .replace('scrape_timeout: 10s', 'scrape_timeout: 5s');
  const file = join(directory, `scrape-${port}.yml`);
  writeFileSync(file, text);
  return file;
}

function promtool(args: readonly string[], input = ''): void {
  const {
    status: exit,
    stderr,
    stdout,
  } = spawnSync('promtool', args, { input, encoding: 'utf8', cwd: directory });
  assert.equal(exit, 0, stdout + stderr);
}

describe('promtool', { skip }, () => {
  test('accepts the page of exposition()', () =>
    promtool(['check', 'metrics'], pageOf(everything)));
  test('accepts the page with aggregated tenants', () =>
    promtool(['check', 'metrics'], pageOf(everything, { tenantsMax: 2 })));
  test('accepts the example scrape configuration', () =>
    promtool(['check', 'config', configFor(9640)]));
  test('accepts the example alert rules', () => promtool(['check', 'rules', 'bulkhead.rules.yml']));
  test('passes the tests of the example alert rules', () =>
    promtool(['test', 'rules', 'bulkhead.rules.test.yml']));
  test('refuses an invalid page', () => {
    assert.throws(() => promtool(['check', 'metrics'], `${pageOf(everything)}a{b} 1\n`));
  });
});

test('the example alert rules use only families of exposition()', () => {
  const rules = readFileSync(join(examples, 'bulkhead.rules.yml'), 'utf8');
  const names = new Set(rules.match(/\bbulkhead_[a-z_]+/g));
  const families = parse(pageOf(everything));
  assert.ok(names.size >= 8);
  for (const name of names) assert.ok(families.has(name), name);
});

test(
  'prometheus scrapes exposition() with the example configuration',
  { skip: skipServer },
  async () => {
    const asked = new Set<string>();
    const server = createServer((request, response) => {
      if (request.headers.authorization !== 'Bearer secret') return response.writeHead(401).end();
      const format = formatFor(request.headers.accept);
      asked.add(format);
      response.writeHead(200, { 'content-type': contentTypes[format] });
      for (const chunk of exposition(everything, { format })) response.write(chunk);
      return response.end();
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const free = await freePort();
    const prometheus = spawn(
      'prometheus',
      [
        `--config.file=${configFor(port)}`,
        `--storage.tsdb.path=${join(directory, 'data')}`,
        `--web.listen-address=127.0.0.1:${free}`,
      ],
      { stdio: 'ignore' },
    );
    const ended = once(prometheus, 'exit');
    try {
      const query = 'bulkhead_tenant_cpu_seconds_total{tenant="alice",package="basic"}';
      assert.equal(await firstValue(free, query), '3');
      assert.equal(await firstValue(free, 'up'), '1');
      assert.equal(
        await firstValue(free, 'count(bulkhead_tenant_processes)'),
        String(hostile.length + 2),
      );
      assert.deepEqual([...asked], ['openmetrics']);
    } finally {
      prometheus.kill('SIGKILL');
      await ended;
      server.closeAllConnections();
      server.close();
    }
  },
);

/** Waits until there is an answer; the server has to start and to scrape first. */
function firstValue(port: number, query: string): Promise<string> {
  const url = `http://127.0.0.1:${port}/api/v1/query?query=${encodeURIComponent(query)}`;
  return eventually(query, async () => {
    const response = await fetch(url).catch(() => undefined);
    if (response?.ok !== true) return undefined;
    const { data } = (await response.json()) as { data: { result: { value: [number, string] }[] } };
    return data.result[0]?.value[1];
  });
}
