/** `cloudlinux-top` prints usage from a socket that answers as the agent does. */
import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { test } from 'node:test';
import { pathsOf } from '../../src/host/paths.ts';
import { writeServed } from '../../src/web/io/served/record.ts';
import { runLve } from './lve-program.ts';
import { jsonOf } from '../../testing/json-output.ts';
import { tenants, options, LveStage } from './lve-stage.ts';

const stage = new LveStage('bulkhead-lvetop-test');
const { run, json } = stage;

interface Section {
  readonly cpu?: { readonly all: number };
  readonly io?: { readonly all: number };
  readonly [field: string]: unknown;
}
interface Top {
  readonly result: string;
  readonly timestamp: number;
  readonly users: readonly {
    readonly id: number;
    readonly username: string;
    readonly domain: string;
    readonly reseller: string;
    readonly limit: Section;
    readonly usage: Section;
  }[];
  readonly resellers: readonly { readonly id: number; readonly name: string }[];
}

test("cloudlinux-top --json prints CloudLinux's fields", options, async () => {
  const top = await json<Top>('cloudlinux-top', '--json', '-u', 'user7', '--max=0');
  assert.deepEqual([top.result, top.timestamp], ['success', 1_758_700_000.5]);
  // The name is a part: user7, user70 to user79.
  assert.equal(top.users.length, 11);
  const seven = top.users.find((each) => each.id === 1007);
  assert.deepEqual(seven, {
    id: 1007,
    username: 'user7',
    domain: 'N/A',
    reseller: 'acme',
    limit: {
      cpu: { all: 200 },
      ep: 20,
      io: { all: 4 * 2 ** 20 },
      iops: 1000,
      mem: 2 ** 30,
      pno: 100,
    },
    usage: { cpu: { all: 140 }, io: { all: 7 * 1536 }, iops: 21, mem: 7 * 2 ** 20, pno: 7 },
  });
  assert.deepEqual(
    top.resellers.map((each) => [each.id, each.name]),
    [[900, 'acme']],
  );
  assert.ok(
    stage.server.asked.some((url) => url.pathname === '/v1/top' && url.search === '?all=1'),
  );
});

test('cloudlinux-top sorts, limits and filters rows', options, async () => {
  const byMemory = await json<Top>('cloudlinux-top', '-j', '-o', 'pmem', '-m', '3');
  assert.deepEqual(
    byMemory.users.map((each) => each.username),
    ['user300', 'user299', 'user298'],
  );
  assert.equal((await json<Top>('cloudlinux-top', '-j')).users.length, 25);
  const ofReseller = await json<Top>('cloudlinux-top', '-j', '-r', 'acme', '--max=0');
  assert.equal(ofReseller.users.length, 150);
  assert.ok(ofReseller.users.every((each) => each.reseller === 'acme'));
  const own = await json<Top>('cloudlinux-top', '-j', '--for-reseller=root', '--max=0');
  assert.equal(own.users.length, 150);
  assert.ok(own.users.every((each) => each.reseller === 'N/A'));
  assert.deepEqual(own.resellers, []);
  const some = await json<Top>('cloudlinux-top', '-j', '--show=cpu,io', '-m', '1');
  assert.deepEqual(Object.keys(some.users[0]?.usage ?? {}), ['cpu', 'io']);
  const unlimited = await json<Top>('cloudlinux-top', '-j', '-u', 'user2', '--max=0');
  assert.deepEqual(unlimited.users.find((each) => each.id === 1002)?.limit.cpu, { all: 0 });
  const all = await json<Top>('cloudlinux-top', '-j', '--max=0');
  assert.equal(all.users.length, tenants);
  assert.equal(all.users.find((each) => each.id === 1004)?.username, 'N/A');
});

test('cloudlinux-top shows and filters by domains that web servers serve', options, async () => {
  const { state } = pathsOf(stage.instance);
  rmSync(state, { recursive: true, force: true });
  const sites = new Map([
    [1007, new Set(['shop.example', 'www.shop.example'])],
    [1009, new Set(['blog.example'])],
  ]);
  assert.ok(writeServed(pathsOf(stage.instance), sites).ok);
  try {
    const top = await json<Top>('cloudlinux-top', '-j', '--max=0');
    const domains = new Map(top.users.map(({ id, domain }) => [id, domain]));
    assert.equal(domains.get(1007), 'shop.example');
    assert.equal(domains.get(1008), 'N/A');
    const some = await json<Top>('cloudlinux-top', '-j', '--domain', 'blog');
    assert.deepEqual(
      some.users.map(({ id }) => id),
      [1009],
    );
  } finally {
    rmSync(state, { recursive: true, force: true });
  }
});

test('cloudlinux-top prints a table when --json is not passed', options, async () => {
  const { status, out } = await run('cloudlinux-top', '-o', 'io', '-m', '2', '-r', 'acme');
  assert.equal(status, 0);
  const [header, first, second, third, rest] = out.split('\n');
  assert.match(header ?? '', /^USER +CPU +OF +PMEM +OF +IO +OF +IOPS +OF +NPROC +OF$/);
  assert.match(first ?? '', /^user299 +180% +200% +299MiB +1\.00GiB +449KiB\/s +4\.00MiB\/s/);
  assert.match(second ?? '', /^user297 /);
  assert.match(third ?? '', /^acme \(all\) +20% +400%/);
  assert.equal(rest, '');
});

test('cloudlinux-top fails with a status and a message, as JSON with --json', options, async () => {
  const rows: readonly (readonly [code: number, message: RegExp, ...args: string[]])[] = [
    [2, /Cannot order by "ep": web servers report which requests they refuse/, '-o', 'ep'],
    [2, /Cannot use the field "cpus": there is no such field; did you mean "cpu"\?/, '-o', 'cpus'],
    [2, /only the CPU time is measured: mysql_cpu/, '-o', 'mysql_io'],
    [2, /Cannot set --max to "many": that is not a number/, '-m', 'many'],
  ];
  for (const [code, message, ...args] of rows) {
    const plain = await run('cloudlinux-top', ...args);
    assert.deepEqual([plain.status, plain.out], [code, '']);
    assert.match(plain.err, message);
    const shaped = await run('cloudlinux-top', '--json', ...args);
    assert.deepEqual([shaped.status, shaped.err], [code, '']);
    assert.match(jsonOf<Top>('cloudlinux-top', shaped.out).result, message);
  }
  const alone = await runLve(['--instance', 'bulkhead-lve-none', 'cloudlinux-top', '--json']);
  assert.equal(alone.status, 1);
  assert.match(
    jsonOf<Top>('cloudlinux-top', alone.out).result,
    /: no agent is running; start it with/,
  );
});
