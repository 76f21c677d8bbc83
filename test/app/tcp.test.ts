/** Applications that insist on a TCP port: entry/serve.c and entry/network.c, with real programs. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readlinkSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { suite, test } from 'node:test';
import { compileWithEntry } from '../../scripts/entry.ts';
import { busyAt, express, Serving, servingSkip, until } from './serving-stage.ts';

const asRoot = { skip: process.getuid?.() === 0 ? false : 'only root makes network namespaces' };

suite('applications at a TCP port', { skip: servingSkip || asRoot.skip }, () => {
  const network =
    "if (req.url === '/net') return res.end(require('node:fs').readlinkSync('/proc/self/ns/net') + process.env.PORT);";
  const program = express.replace("if (req.url === '/exit')", `${network}\n$&`);

  test('they have a network of their own, in which nobody has taken the port', async () => {
    // Somebody else's program at that port of the host.
    const squatter = createServer((socket) => socket.end('HTTP/1.0 200 OK\r\n\r\nsquatter'));
    squatter.on('error', () => {}).listen(8080, '127.0.0.1');
    await using app = new Serving();
    app.start(app.script(program), { takes: 'tcp' });
    const [status, found = ''] = (await app.get('/net')).split(' ');
    assert.equal(status, '200');
    assert.match(found, /^net:\[\d+\]8080$/);
    assert.notEqual(found.slice(0, -4), readlinkSync('/proc/self/ns/net'));
    assert.equal(await app.get('/', 'x'.repeat(1_000_000)), '200 hello 1000000');
    assert.equal((await app.get('/big')).length, 3_000_004);
    const many = await Promise.all(Array.from({ length: 50 }, () => app.get('/', 'abc')));
    assert.deepEqual(new Set(many), new Set(['200 hello 3']));
    squatter.close();
  });

  test('they reach no other network, and unix sockets of the host', async () => {
    await using app = new Serving();
    const outside = `const net = require('node:net');
const reach = (to) => new Promise((done) => { const s = net.connect(to); s.on('connect', () => { s.destroy(); done('reached'); }); s.on('error', (e) => done(e.code)); });
require('node:http').createServer(async (req, res) =>
  res.end([await reach({ port: Number(req.url.slice(1)), host: '127.0.0.1' }), await reach({ port: 53, host: '192.0.2.1' }), await reach('${app.home}/database')].join())).listen(process.env.PORT);`;
    const host = createServer().listen(0, '127.0.0.1');
    const database = createServer().listen(`${app.home}/database`);
    await Promise.all([host, database].map((each) => once(each, 'listening')));
    app.start(app.script(outside), { takes: 'tcp' });
    const { port } = host.address() as AddressInfo;
    assert.equal(await app.get(`/${port}`), '200 ECONNREFUSED,ENETUNREACH,reached');
    host.close();
    database.close();
  });

  test('a program that listens for IPv6 alone is served', async (t) => {
    if (!existsSync('/proc/net/if_inet6')) return t.skip('this kernel has no IPv6');
    await using app = new Serving();
    app.start(
      app.script(
        program.replace('listen(process.env.PORT || 3000,', "listen(process.env.PORT, '::1',"),
      ),
      { takes: 'tcp' },
    );
    assert.equal(await app.get(), '200 hello 0');
  });

  test('one that never listens is ended, and one that ends tells why', async () => {
    await using silent = new Serving();
    silent.start(['sleep', '600'], { takes: 'tcp', isImpatient: true });
    await assert.rejects(silent.get());
    assert.equal(await silent.ended(), 1);
    assert.match(silent.log(), /does not listen at \$PORT, 8080,/);
    await using ending = new Serving();
    ending.start(ending.script(program), { takes: 'tcp' });
    await ending.get();
    await assert.rejects(ending.get('/exit'));
    assert.equal(await ending.ended(), 7);
  });

  test('one that listens and takes no connection is ended as well, and not taken for busy', async () => {
    await using silent = new Serving();
    // A filter of its socket drops each packet: SO_ATTACH_FILTER with one instruction, which returns 0.
    const deaf = `use Socket; socket(my $s, AF_INET, SOCK_STREAM, 0) or die; my $code = pack('SCCL', 6, 0, 0, 0);
setsockopt($s, SOL_SOCKET, 26, pack('Sx6P', 1, $code)) or die; bind($s, sockaddr_in(8080, INADDR_ANY)) or die; listen($s, 9) or die; sleep 600`;
    silent.start(['perl', '-e', deaf], { takes: 'tcp', isImpatient: true });
    await assert.rejects(silent.get());
    assert.equal(await silent.ended(), 1);
    assert.match(silent.log(), /does not listen at \$PORT, 8080,/);
  });

  test('networks that a program keeps count as its tenant’s, not as root’s', () => {
    const program = compileWithEntry('test/app/networks.c');
    const inside = `echo 3 > /proc/sys/user/max_net_namespaces && exec ${program} 5001 5002`;
    const maps = ['--map-users=0:0:65536', '--map-groups=0:0:65536'];
    const args = ['--user', ...maps, 'sh', '-c', inside];
    assert.equal(execFileSync('unshare', args, { encoding: 'utf8' }), '5001: 3\n5002: 3\n0: 3\n');
  });

  test('a busy one refuses visitors, and goes on', async () => {
    await using app = new Serving();
    app.start(app.script(busyAt('port')), { takes: 'tcp', isImpatient: true });
    assert.equal(await app.get(), '200 hello 0');
    const blocked = app.get('/block');
    await until(() => existsSync(`${app.home}/blocked`));
    const others = await Promise.all(Array.from({ length: 8 }, () => app.open()));
    await Promise.race(others.map((each) => once(each.resume(), 'close')));
    writeFileSync(`${app.home}/go`, '');
    assert.equal(await blocked, '200 hello 0');
    assert.equal(await app.get(), '200 hello 0');
    for (const each of others) each.destroy();
  });
});
