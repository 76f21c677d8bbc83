/** `bulkhead network` as commands, where no programs are loaded. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import type { NetworkConnectionsJson, NetworkStatusJson } from '../../src/network/commands/json.ts';
import { jsonOf } from '../../testing/json-output.ts';
import { suiteDirectory } from '../../testing/temporary-directory.ts';
import { mainFile } from '../../testing/program.ts';

const isRoot = process.geteuid?.() === 0;

describe('bulkhead network', () => {
  const directory = suiteDirectory('network-commands');
  const file = join(directory, 'policy.xml');

  function run(body: string, ...args: readonly string[]) {
    writeFileSync(file, `<bulkhead version="1">${body}</bulkhead>`);
    const all = [
      mainFile,
      '--instance',
      'bulkhead-network-commands',
      'network',
      ...args,
      '-p',
      file,
    ];
    return spawnSync(process.execPath, all, { encoding: 'utf8' });
  }

  test('status without rules says what to write', { skip: !isRoot }, () => {
    const { stdout, status, stderr } = run('<tenant uid="64001"/>', 'status');
    assert.equal(status, 0, stderr);
    assert.match(stdout, /nothing about the network: write <network>, <reach> or <listen>/);
  });

  test('status says that rules without programs are not held', { skip: !isRoot }, () => {
    const body = '<defaults><reach mail="local"/></defaults><tenant uid="64001"/>';
    const { stdout, status } = run(body, 'status', '--json');
    const answer = jsonOf<NetworkStatusJson>('network status', stdout);
    assert.equal(status, 1);
    assert.deepEqual([answer.isWanted, answer.isLoaded, answer.tenants], [true, false, 0]);
    assert.deepEqual(
      answer.parts.map(({ part, support }) => `${part} ${support}`),
      ['reach none'],
    );
    assert.match(answer.problem ?? '', /the agent loads them/);
  });

  test('status --wait does not wait where no agent runs', { skip: !isRoot }, () => {
    const { stdout, status } = run('<tenant uid="64001"><reach/></tenant>', 'status', '--wait');
    assert.equal(status, 1);
    assert.match(stdout, /no programs are loaded/);
  });

  test(
    'connections lists the sockets of a tenant, and of nobody else',
    { skip: !isRoot },
    async () => {
      const tenants = '<tenant uid="64001"/><tenant uid="64002"/>';
      const script = `const net = require('node:net'), udp = require('node:dgram');
      const one = net.createServer().listen(0, '127.0.0.1', () => {
        const other = udp.createSocket('udp6').bind(0, '::1', () =>
          console.log(one.address().port, other.address().port)); });`;
      const child = spawn(process.execPath, ['-e', script], { uid: 64_001, gid: 64_001, cwd: '/' });
      try {
        const [line] = (await once(child.stdout, 'data')) as [Buffer];
        const [tcp = '', datagrams = ''] = line.toString('utf8').trim().split(' ');
        const { stdout } = run(tenants, 'connections', '64001', '--json');
        const { connections } = jsonOf<NetworkConnectionsJson>('network connections', stdout);
        assert.deepEqual(
          connections.map(({ protocol, port, uid }) => `${protocol} ${port} ${uid}`),
          [`tcp ${tcp} 64001`, `udp ${datagrams} 64001`],
        );
        const shown = run(tenants, 'connections', '64001').stdout;
        assert.match(shown, new RegExp(`tcp +LISTEN +127\\.0\\.0\\.1:${tcp}`));
        assert.match(shown, new RegExp(`udp .*\\[::1\\]:${datagrams}`));
        assert.match(run(tenants, 'connections', '64002').stdout, /64002 has no sockets/);
        assert.match(run(tenants, 'connections', 'bob').stderr, /it is not a tenant of/);
      } finally {
        child.kill('SIGKILL');
        await once(child, 'exit');
      }
    },
  );

  test('status is for root', { skip: !isRoot }, () => {
    const child = spawnSync(process.execPath, [mainFile, 'network', 'status'], {
      encoding: 'utf8',
      uid: 65_534,
      gid: 65_534,
    });
    assert.match(child.stderr, /only root may; run it as root/);
  });
});
