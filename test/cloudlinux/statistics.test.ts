/** `cloudlinux-statistics` prints usage from a socket that answers as the agent does. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { jsonOf } from '../../testing/json-output.ts';
import { LveStage, options, tenants } from './lve-stage.ts';
import { readStatistics } from './panel-readers.ts';

const stage = new LveStage('bulkhead-lvestat-test');
const uncounted = new LveStage('bulkhead-lvestat-none-test', false);
const command = 'cloudlinux-statistics';

interface Section {
  readonly [field: string]: { readonly lve: number };
}
interface Sections {
  readonly usage: Section;
  readonly limits: Section;
  readonly faults: Section;
}
interface Summary {
  readonly result: string;
  readonly timestamp: number;
  readonly context?: { readonly error_text: string };
  readonly users: readonly (Sections & {
    readonly id: number;
    readonly username: string;
    readonly reseller: string;
  })[];
  readonly resellers: readonly (Sections & { readonly id: number; readonly name: string })[];
  readonly user: readonly (Sections & { readonly from: number; readonly to: number })[];
}

const json = (...args: string[]) => stage.json<Summary>(command, '--json', ...args);

test('cloudlinux-statistics --json has the documented fields and units', options, async () => {
  const found = await json('--period', '1d');
  assert.deepEqual(Object.keys(found).toSorted(), [
    'mySqlGov',
    'resellers',
    'result',
    'timestamp',
    'users',
  ]);
  assert.ok(Number.isInteger(found.timestamp));
  assert.equal(found.users.length, tenants);
  assert.deepEqual(
    found.users.find(({ id }) => id === 1003),
    {
      id: 1003,
      username: 'user3',
      domain: 'N/A',
      reseller: 'acme',
      usage: {
        cpu: { lve: 30 },
        pmem: { lve: 1.5 * 2 ** 20 },
        nproc: { lve: 1.5 },
        io: { lve: 2304 },
        iops: { lve: 4.5 },
      },
      limits: {
        cpu: { lve: 200 },
        ep: { lve: 20 },
        vmem: { lve: 0 },
        pmem: { lve: 2 ** 30 },
        nproc: { lve: 100 },
        io: { lve: 4 * 2 ** 20 },
        iops: { lve: 1000 },
      },
      faults: {
        cpu: { lve: 7 },
        ep: { lve: 0 },
        vmem: { lve: 0 },
        pmem: { lve: 1 },
        nproc: { lve: 0 },
        io: { lve: 3 },
        iops: { lve: 0 },
      },
    },
  );
  const [acme] = found.resellers;
  assert.deepEqual([acme?.id, acme?.name, acme?.limits['cpu']], [900, 'acme', { lve: 400 }]);
});

test("a panel's reader gets its numbers from it", options, async () => {
  const { out } = await stage.run(command, '--json', '--period', '1d');
  assert.deepEqual(readStatistics(out, 1005), {
    usage: { cpu: 50, pmem: 2.5, ep: 0, nproc: 2.5, io: 3.8, iops: 7.5 },
    faults: { cpu: 0, pmem: 0, ep: 12, nproc: 0, io: 0, iops: 0 },
  });
});

test('cloudlinux-statistics does not invent refused requests', options, async () => {
  const found = await uncounted.json<Summary>(command, '--json');
  assert.equal(found.users.find(({ id }) => id === 1003)?.faults['ep'], undefined);
  assert.deepEqual(found.users.find(({ id }) => id === 1005)?.faults['ep'], { lve: 12 });
});

test('cloudlinux-statistics filters, sorts and limits tenants', options, async () => {
  const ids = async (...args: string[]) => (await json(...args)).users.map(({ id }) => id);
  assert.deepEqual(await ids('--by-fault', 'any'), [1003, 1005]);
  assert.deepEqual(await ids('--by-fault', 'any', '--threshold', '12'), [1005]);
  assert.deepEqual(await ids('--by-fault=any', '--order-by=ep_faults', '--limit=1'), [1005]);
  assert.deepEqual(await ids('--order-by', 'pmem', '--limit', '2'), [1300, 1299]);
  assert.equal((await ids('--by-usage', 'cpu', '--percentage', '45')).length, tenants / 10);
  const acme = await json('-r', 'acme');
  assert.equal(acme.users.length, tenants / 2);
  assert.ok(acme.users.every(({ reseller }) => reseller === 'acme'));
  const some = await json('--show', 'cpu,io', '--limit', '1');
  assert.deepEqual(Object.keys(some.users[0]?.limits ?? {}), ['cpu', 'io']);
});

test('cloudlinux-statistics --id shows parts of the period', options, async () => {
  const args = ['--from', '2026-01-31 18:30', '--to', '2026-01-31 20:00'];
  const { user } = await json('--id', '1003', ...args, '--time-unit', '1h');
  const seconds = (text: string) => Date.parse(text) / 1000;
  assert.deepEqual(
    user.map(({ from, to, usage }) => [from, to, usage['cpu']]),
    [
      [seconds('2026-01-31T18:30:00Z'), seconds('2026-01-31T19:30:00Z'), { lve: 30 }],
      [seconds('2026-01-31T19:30:00Z'), seconds('2026-01-31T20:00:00Z'), { lve: 30 }],
    ],
  );
  assert.equal((await json('--id', '1003', ...args, '--time-unit', 'dynamic')).user.length, 45);
  assert.equal((await json('--id', '1003')).user.length, 10);
  assert.equal((await json('--id', '1003', '--period', '1d')).user.length, 1440);
});

test("cloudlinux-statistics --for-reseller hides others' tenants", options, async () => {
  assert.equal((await json('--id', '1003', '-r', 'acme')).user.length, 10);
  assert.equal((await json('--id', '1002', '-r', 'root')).user.length, 10);
  for (const [id, reseller] of [
    ['1002', 'acme'],
    ['1003', 'root'],
    ['1003', 'acm'],
    ['1003', ''],
  ]) {
    const args = ['--json', `--id=${id}`, `--for-reseller=${reseller}`];
    const { status, out } = await stage.run(command, ...args);
    const { context, user } = jsonOf<Summary>('cloudlinux-statistics', out);
    assert.deepEqual([status, user], [1, undefined]);
    assert.equal(
      context?.error_text,
      `Cannot show tenant "${id}": there is none with that name that you may see`,
    );
  }
  const own = await json('--for-reseller', 'root');
  assert.equal(own.users.length, tenants / 2);
  assert.ok(own.users.every(({ reseller }) => reseller === 'N/A'));
  assert.deepEqual(own.resellers, []);
});

test(
  'cloudlinux-statistics fails in the documented shape, and with a status',
  options,
  async () => {
    const rows: readonly (readonly [code: number, message: RegExp, ...args: string[]])[] = [
      [2, /Cannot use the field "ep": web servers report which/, '--by-usage', 'ep'],
      [2, /Cannot use the field "__proto__": there is no such field/, '--order-by', '__proto__'],
      [2, /of databases, only the CPU time is measured/, '-o', 'mysql_io'],
      [2, /Cannot show the field "x": there is no such field/, '--show', 'x'],
      [2, /Cannot show the id "1003;id": that is not a uid/, '--id', '1003;id'],
      [2, /Cannot set --limit to "-1"/, '--limit=-1'],
      [2, /Cannot split the period: only one tenant's/, '--time-unit', '1h'],
      [2, /it would have more than 10080 parts/, '--id', '1003', '--period', '8d'],
      [2, /Cannot show the server "other"/, '--server_id', 'other'],
      [1, /Cannot show tenant "4000": there is none/, '--id', '4000'],
    ];
    for (const [code, message, ...args] of rows) {
      const plain = await stage.run(command, ...args);
      assert.deepEqual([plain.status, plain.out], [code, ''], plain.err);
      assert.match(plain.err, message);
      const shaped = await stage.run(command, '--json', ...args);
      assert.deepEqual([shaped.status, shaped.err], [code, '']);
      const { result, context } = jsonOf<Summary>('cloudlinux-statistics', shaped.out);
      assert.equal(result, 'An error occured: "%(error_text)s"');
      assert.match(context?.error_text ?? '', message);
    }
  },
);

test('cloudlinux-statistics prints a table without --json', options, async () => {
  const { out } = await stage.run(command, '--by-fault', 'ep');
  assert.match(out, /^USER +CPU +OF +FAULTS +EP +OF +FAULTS/);
  assert.match(out, /^user5 +50 +200 +0 +- +20 +12 /m);
});
