/** Ports of PHP-FPM's pools: the configuration as people write it, and a real php-fpm. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, globSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import { freePort } from '../../testing/free-port.ts';
import { eventually } from '../../testing/patience.ts';
import { poolPorts, servedPortsOf } from '../../src/network/core/fpm-ports.ts';
import { readServedPorts } from '../../src/network/io/served-ports.ts';

const ports = (text: string) =>
  poolPorts([text]).map(({ pool, user, port }) => `${pool} ${user} ${port}`);

suite("ports of PHP-FPM's pools", () => {
  test('every way to write an address is read', () => {
    for (const listen of ['9001', '127.0.0.1:9001', '[::1]:9001', '"9001"', "'*:9001' ; here"])
      assert.deepEqual(ports(`[a]\nuser = alice\nlisten = ${listen}\n`), ['a alice 9001'], listen);
    for (const listen of ['/run/php/9001', '0', '65536', '', '127.0.0.1'])
      assert.deepEqual(ports(`[a]\nuser = alice\nlisten = ${listen}\n`), [], listen);
  });

  test('$pool is the name, comments and [global] do not count, the last value does', () => {
    const text =
      '[global]\nuser=root\nlisten=1\n[bob]\nuser = $pool\n;listen = 1\nlisten=9001\n[x]\n[bob]\nlisten = 9002';
    assert.deepEqual(ports(text), ['bob bob 9002']);
  });

  test('a port of two tenants is left out, and said', () => {
    const pools = poolPorts([
      '[a]\nuser=alice\nlisten=127.0.0.1:9001\n[b]\nuser=bob\nlisten=127.0.0.2:9001\n[c]\nuser=www\nlisten=9002\n[d]\nuser=bob\nlisten=9003',
    ]);
    const uids = new Map([
      ['alice', 1001],
      ['bob', 1002],
    ]);
    const served = servedPortsOf(pools, (user) => uids.get(user));
    assert.deepEqual([...served.ports], [[9003, 1002]]);
    assert.match(served.remarks.join(), /two tenants listen at port 9001/);
  });

  const program = ['/usr/sbin/php-fpm*', '/usr/bin/php-fpm*']
    .flatMap((each) => globSync(each))
    .find((each) => existsSync(each));
  const skip =
    process.getuid?.() !== 0
      ? 'only root starts php-fpm for others'
      : program === undefined
        ? 'there is no php-fpm'
        : false;

  test('a running php-fpm is found with the files that it includes', { skip }, async () => {
    const directory = mkdtempSync(join(tmpdir(), 'bulkhead-pools-'));
    const port = await freePort();
    mkdirSync(`${directory}/pools`);
    writeFileSync(
      `${directory}/fpm.conf`,
      `[global]\npid = ${directory}/pid\nerror_log = ${directory}/log\ninclude = ${directory}/pools/*.conf\n`,
    );
    writeFileSync(
      `${directory}/pools/nobody.conf`,
      `[shop]\nuser = nobody\nlisten = 127.0.0.1:${port}\npm = ondemand\npm.max_children = 1\n`,
    );
    const master = spawn(program!, ['-F', '-y', `${directory}/fpm.conf`], { stdio: 'ignore' });
    try {
      const uidOf = (user: string) => (user === 'nobody' ? 65_534 : undefined);
      await eventually('its port is found', () => {
        const { ports: found } = readServedPorts({ proc: '/proc' }, uidOf);
        return found.get(port) === 65_534;
      });
    } finally {
      master.kill('SIGKILL');
      await once(master, 'exit');
      rmSync(directory, { recursive: true });
    }
  });
});
