/** The kernel's tables of sockets, and `bulkhead network test` with real ones. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { formatAddress, parseAddress } from '../../packages/base/ip-address.ts';
import type { NetworkTestJson } from '../../src/network/commands/json.ts';
import { listenerAt, parseListeners } from '../../src/network/core/listeners.ts';
import { jsonOf } from '../../testing/json-output.ts';
import { suiteDirectory } from '../../testing/temporary-directory.ts';
import { mainFile } from '../../testing/program.ts';

const four = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1001        0 23717 1 0000000000000000 100 0 0 10 0
   1: 00000000:0019 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 23718 1 0000000000000000 100 0 0 10 0
   2: 0100007F:1F91 0100007F:1F90 01 00000000:00000000 00:00000000 00000000  1002        0 23719 1 0000000000000000 100 0 0 10 0
`;
const six = `  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: B80D0120000000000000000001000000:0050 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000  1003        0 1 1 0 100 0 0 10 0
   1: 00000000000000000000000000000000:2329 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000  1004        0 1 1 0 100 0 0 10 0
`;

test('parseListeners() reads what waits for connections, and whose it is', () => {
  const all = [...parseListeners(four, 'tcp'), ...parseListeners(six, 'tcp')];
  assert.deepEqual(
    all.map(({ address, port, uid }) => `${formatAddress(address)} ${port} ${uid}`),
    ['127.0.0.1 8080 1001', '0.0.0.0 25 0', '2001:db8::1 80 1003', ':: 9001 1004'],
  );
  const at = (host: string, port: number) =>
    listenerAt(all, parseAddress(host) ?? new Uint8Array(), port)?.uid;
  assert.deepEqual(
    [
      at('127.0.0.1', 8080),
      at('127.0.0.2', 8080),
      at('192.0.2.1', 25),
      at('192.0.2.1', 9001),
      at('::1', 25),
    ],
    [1001, undefined, 0, 1004, undefined],
  );
});

test('parseListeners() survives any table', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 400 }), fc.nat(four.length), (noise, at) => {
      for (const text of [noise, four.slice(0, at) + noise + four.slice(at)])
        for (const { port, uid } of parseListeners(text, 'tcp'))
          assert.ok(port >= 0 && port <= 65_535 && Number.isSafeInteger(uid));
    }),
  );
});

const isRoot = process.geteuid?.() === 0;
const listening = `const server = require('node:net').createServer().listen(0, process.argv[1], () => console.log(server.address().port));`;

describe('bulkhead network test', { skip: isRoot ? false : 'only root becomes a tenant' }, () => {
  const file = join(suiteDirectory('network-test'), 'policy.xml');

  function run(body: string, ...args: readonly string[]) {
    writeFileSync(file, `<bulkhead version="1">${body}</bulkhead>`);
    return spawnSync(process.execPath, [mainFile, 'network', 'test', ...args, '-p', file], {
      encoding: 'utf8',
    });
  }

  const answer = (body: string, ...args: readonly string[]) =>
    jsonOf<NetworkTestJson>('network test', run(body, ...args, '--json').stdout).addresses;

  test('names the line that decides', () => {
    const body =
      '\n<tenant uid="64001"><reach>\n<refuse address="192.0.2.0/24" reason="ours"/></reach></tenant>';
    assert.deepEqual(answer(body, '64001', '198.51.100.1:25'), [
      {
        address: '198.51.100.1',
        outcome: 'refused',
        kind: 'reach.mail',
        by: 'mail="submission"',
        line: 2,
      },
    ]);
    assert.deepEqual(answer(body, '64001', '[2001:db8::1]:25', '--udp'), [
      { address: '2001:db8::1', outcome: 'allowed' },
    ]);
    const { stdout } = run(body, '64001', '192.0.2.7:443');
    assert.match(
      stdout,
      /192\.0\.2\.7 +refused +refuse 192\.0\.2\.0\/24 \(ours\) +.*policy\.xml:3/,
    );
  });

  test('knows whose port of this host it is', async () => {
    const child = spawn(process.execPath, ['-e', listening, '127.0.0.1'], {
      uid: 64_002,
      gid: 64_002,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const own = createServer().listen(0, '::1');
    try {
      const [[chunk]] = await Promise.all([once(child.stdout, 'data'), once(own, 'listening')]);
      const port = Number(String(chunk));
      const body = '<defaults><reach/></defaults><tenant uid="64001"/><tenant uid="64002"/>';
      const [others] = answer(body, '64001', `127.0.0.1:${port}`);
      assert.deepEqual(
        [others?.outcome, others?.kind, others?.listener],
        ['refused', 'reach.tenants', 'uid 64002'],
      );
      assert.equal(answer(body, '64001', `[::ffff:127.0.0.1]:${port}`)[0]?.outcome, 'refused');
      assert.equal(answer(body, '64002', `127.0.0.1:${port}`)[0]?.outcome, 'allowed');
      const roots = answer(body, '64001', `[::1]:${(own.address() as AddressInfo).port}`);
      assert.deepEqual(roots, [{ address: '::1', outcome: 'allowed' }]);
      assert.equal(
        answer('<tenant uid="64001"/><tenant uid="64002"/>', '64001', `127.0.0.1:${port}`)[0]
          ?.outcome,
        'allowed',
      );
    } finally {
      child.kill();
      own.close();
    }
  });

  test('knows whether a port may be opened, and who may connect to it', () => {
    const body = `
<tenant uid="64001"><listen ports="7001-7010" public="yes"/></tenant>
<tenant uid="64002"><listen mode="watch"/></tenant>
<tenant uid="64003"/>`;
    const ask = (who: string, port: number) => {
      const { stdout } = run(body, who, `:${port}`, '--json');
      return jsonOf<NetworkTestJson>('network test', stdout).opened;
    };
    const kept = { kind: 'listen.ports', by: 'ports="7001-7010" of uid 64001', line: 2 };
    assert.deepEqual(ask('64001', 7005), [
      { question: 'open', outcome: 'allowed' },
      { question: 'public', outcome: 'allowed' },
    ]);
    assert.deepEqual(ask('64002', 7005), [
      { question: 'open', outcome: 'refused', ...kept },
      {
        question: 'public',
        outcome: 'reported',
        kind: 'listen.public',
        by: 'public="no"',
        line: 3,
      },
    ]);
    assert.deepEqual(ask('64003', 7011), [
      { question: 'open', outcome: 'allowed' },
      { question: 'public', outcome: 'allowed' },
    ]);
    assert.match(
      run(body, '64003', ':7005').stdout,
      /open it +refused +ports="7001-7010" of uid 64001 /,
    );
  });

  test('says what is wrong with a tenant, a port or a host', () => {
    const body = '<tenant uid="64001"><reach/></tenant>';
    for (const [who, to, message] of [
      ['64009', '192.0.2.1:25', /Cannot test "64009": it is not a tenant of/],
      ['64001', '192.0.2.1', /is not HOST:PORT; write for example/],
      ['64001', '192.0.2.1:0', /is not HOST:PORT/],
      ['64001', ':65536', /is not HOST:PORT/],
      [
        '64001',
        'no.such.host.invalid:25',
        /the host has no address that is known here.*; write an address/,
      ],
    ] as const) {
      const { status, stderr } = run(body, who, to);
      assert.equal(status, 1, stderr);
      assert.match(stderr, message);
    }
  });
});
