/** The console on the network: the key comes from the agent, TLS ends in the front, and ports are nobody else's. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { chmodSync, chownSync, copyFileSync, renameSync, writeFileSync } from 'node:fs';
import { connect as connectHttp2, type ClientHttp2Session } from 'node:http2';
import { request } from 'node:https';
import { connect, createServer, type AddressInfo } from 'node:net';
import { describe, test } from 'node:test';
import { connect as connectTls } from 'node:tls';
import { createGunzip } from 'node:zlib';
import { PolicyReader } from '../../src/apply/load-policy.ts';
import { addressesOf, dropInText } from '../../src/console/core/addresses.ts';
import { allowedNames, networkOf } from '../../src/console/core/hosts.ts';
import { namesIn, readCertificate } from '../../src/console/io/certificate.ts';
import { Front } from '../../src/console/io/front.ts';
import { SettingsLink, type FrontSettings } from '../../src/console/io/settings-link.ts';
import { settingsPart } from '../../src/console/io/settings-part.ts';
import { consoleSettingsSocketOf, type Paths } from '../../src/host/paths.ts';
import { duplicateDescriptor } from '../../src/sys/syscalls.ts';
import { eventually } from '../../testing/patience.ts';
import { temporaryDirectory } from '../../testing/temporary-directory.ts';
import { hasOpenssl, makeCertificate } from './certificates.ts';
import { Stage, uids } from './stage.ts';

const skip = hasOpenssl ? false : 'there is no openssl';
const name = 'limits.server.example';

test('addressesOf() takes both families, of all addresses and of loopback', () => {
  const of = (host: string, hasIpv6 = true) => addressesOf({ host, port: 843 }, hasIpv6);
  assert.deepEqual(of('0.0.0.0'), ['0.0.0.0:843', '[::]:843']);
  assert.deepEqual(of('::'), ['0.0.0.0:843', '[::]:843']);
  assert.deepEqual(of('::1'), ['127.0.0.1:843', '[::1]:843']);
  assert.deepEqual(of('0.0.0.0', false), ['0.0.0.0:843']);
  assert.deepEqual(of('192.0.2.7'), ['192.0.2.7:843']);
  const text = dropInText(of('0.0.0.0'));
  assert.match(text, /^#.*\n\[Socket\]\nListenStream=0\.0\.0\.0:843\nListenStream=\[::\]:843\n$/);
});

test('networkOf() counts an address of IPv4 alone, and 64 bits of IPv6 together', () => {
  const six = (address: string) => networkOf(address, true);
  assert.equal(networkOf('192.0.2.7', false), '192.0.2.7');
  assert.equal(six('::ffff:192.0.2.7'), '192.0.2.7');
  assert.equal(six('2001:db8:1:2:3:4:5:6'), six('2001:db8:1:2::9'));
  assert.equal(six('2001:db8::1'), six('2001:db8:0:0:ffff::'));
  assert.notEqual(six('2001:db8:0:1::1'), six('2001:db8::1'));
  assert.equal(six('fe80::1%eth0'), six('fe80::2'));
});

describe('readCertificate()', { skip }, () => {
  test('takes files of root only, and a key that nobody else reads', () => {
    using directory = temporaryDirectory('certificate');
    const { files, certificate } = makeCertificate(`${directory.path}/one`, [name, '*.example']);
    const other = makeCertificate(`${directory.path}/two`, ['other.example']);
    assert.ok(readCertificate(files).ok);
    assert.deepEqual(namesIn(certificate), [name]);
    assert.deepEqual(namesIn('nonsense'), []);
    const reason = (given: typeof files) => {
      const read = readCertificate(given);
      return read.ok ? 'it is used' : read.error.reason;
    };
    assert.match(reason({ ...files, key: other.files.key }), /key is of another certificate/);
    assert.match(reason({ ...files, key: files.certificate }), /others can read it/);
    chmodSync(files.key, 0o640);
    assert.match(reason(files), /others can read it/);
    chmodSync(files.key, 0o600);
    chownSync(files.key, uids.bob, 0);
    assert.match(reason(files), /belongs to uid 5002/);
    chownSync(files.key, 0, 0);
    chmodSync(files.certificate, 0o666);
    assert.match(reason(files), /others can write it/);
    chmodSync(files.certificate, 0o644);
    writeFileSync(files.key, 'nonsense');
    assert.match(reason(files), /OpenSSL refuses it/);
  });
});

/** The agent's part that hands out settings, without the agent. */
class Agent implements AsyncDisposable {
  readonly #directory = temporaryDirectory('settings', undefined, 0o755);
  readonly stage: Stage;
  readonly log: string[] = [];
  readonly path = this.#directory.path;
  readonly #part;

  constructor(stage: Stage) {
    this.stage = stage;
    const add = (line: string) => void this.log.push(line);
    this.#part = settingsPart(stage.paths, { info: add, warn: add });
  }

  adopt(element: string): void {
    const text = `<bulkhead version="1">${element}</bulkhead>`;
    const { policy, diagnostics } = new PolicyReader().resolve('p.xml', text, this.stage.paths);
    assert.ok(policy, JSON.stringify(diagnostics));
    this.#part.adopt?.(policy, new Map());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#part[Symbol.asyncDispose]?.();
    this.#directory.remove();
  }
}

/** Connects as a process of `uid`, and returns what comes; undefined if the other end closes first. */
function take({ paths }: { readonly paths: Paths }, uid: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    process.seteuid?.(uid);
    const socket = connect(consoleSettingsSocketOf(paths));
    process.seteuid?.(0);
    socket.setEncoding('utf8');
    socket.once('data', (text: string) => {
      socket.destroy();
      resolve(text);
    });
    socket.on('error', () => {});
    socket.once('close', () => resolve(undefined));
  });
}

describe('settings of the front', { skip }, () => {
  test('T9: only root and the account of the front get the key', async () => {
    await using stage = await Stage.start();
    await using agent = new Agent(stage);
    stage.haveAccounts({ ...uids, 'bulkhead-console': 4999 });
    const { files, key } = makeCertificate(`${agent.path}/one`, [name]);
    const { certificate: file } = files;
    agent.adopt(`<console listen="0.0.0.0:843" certificate="${file}" key="${files.key}"/>`);
    const settings = await eventually('it listens', () => take(stage, 4999));
    assert.equal((JSON.parse(settings) as FrontSettings).tls?.key, key);
    for (const uid of [uids.alice, uids.acme, uids.nobody])
      assert.equal(await take(stage, uid), undefined);
    assert.ok((await take(stage, 0))?.includes('PRIVATE KEY'));
  });

  test('a renewed certificate is handed over, and a bad one leaves the old one in force', async () => {
    await using stage = await Stage.start();
    await using agent = new Agent(stage);
    const one = makeCertificate(`${agent.path}/live`, [name]);
    const two = makeCertificate(`${agent.path}/new`, [name, 'second.example']);
    const { certificate, key } = one.files;
    const element = `<console names="a.example" frames="https://panel.example:2083" listen="0.0.0.0:843" certificate="${certificate}" key="${key}"/>`;
    agent.adopt(element);
    const got: FrontSettings[] = [];
    using _link = new SettingsLink(consoleSettingsSocketOf(stage.paths), (each) => got.push(each));
    await eventually('the first settings', () => got.length === 1);
    assert.deepEqual(got[0]?.names, ['a.example']);
    assert.deepEqual(got[0]?.frames, ['https://panel.example:2083']);
    writeFileSync(`${agent.path}/bad`, 'nonsense');
    renameSync(`${agent.path}/bad`, certificate);
    await eventually('it says so', () => agent.log.some((each) => each.includes('stays in force')));
    assert.equal(got.length, 1);
    // The agent is restarted, or the policy adopted again.
    agent.adopt(element);
    assert.equal(got.at(-1)?.tls?.certificate, one.certificate);
    copyFileSync(two.files.key, key);
    renameSync(two.files.certificate, certificate);
    await eventually('the new one', () => got.at(-1)?.tls?.certificate === two.certificate);
    assert.equal(got.at(-1)?.tls?.key, two.key);
    agent.adopt('');
    await eventually('none', () => got.at(-1)?.tls === undefined && got.at(-1)?.names.length === 0);
  });
});

/** The front with TLS, on a socket that it was passed. */
class Network implements AsyncDisposable {
  readonly stage: Stage;
  readonly front: Front;
  readonly port: number;

  private constructor(stage: Stage, front: Front, port: number) {
    this.stage = stage;
    this.front = front;
    this.port = port;
  }

  static async start(): Promise<Network> {
    const stage = await Stage.start();
    const names = allowedNames([name]);
    assert.ok(names);
    const body = Buffer.from('<!doctype html>');
    const files = new Map([['/', { headers: {}, etag: '"1"', body }]]);
    const front = new Front({ agentSocket: stage.front, files, names, frameAncestors: [] });
    const { fd, port } = await listeningSocket();
    assert.ok((await front.listenWithTls(fd)).ok);
    return new Network(stage, front, port);
  }

  /** Asks over HTTP/1.1; undefined if the connection is closed. */
  ask(host = name): Promise<number | undefined> {
    return new Promise((resolve) => {
      const where = { host: '127.0.0.1', port: this.port, agent: false };
      const headers = { host, connection: 'close' };
      const sent = request({ ...where, headers, rejectUnauthorized: false }, (response) => {
        response.resume();
        resolve(response.statusCode);
      });
      sent.on('error', () => resolve(undefined));
      sent.end();
    });
  }

  http2(): ClientHttp2Session {
    const session = connectHttp2(`https://127.0.0.1:${this.port}`, { rejectUnauthorized: false });
    session.on('error', () => {});
    return session;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.front[Symbol.asyncDispose]();
    await this.stage[Symbol.asyncDispose]();
  }
}

/** Returns a descriptor that listens, as systemd passes one. */
async function listeningSocket(): Promise<{ readonly fd: number; readonly port: number }> {
  const holder = createServer();
  await new Promise<void>((resolve) => holder.listen(0, '127.0.0.1', resolve));
  const { port } = holder.address() as AddressInfo;
  const { fd = -1 } = (holder as unknown as { _handle: { fd?: number } })._handle;
  const copy = duplicateDescriptor(fd);
  holder.close();
  assert.ok('fd' in copy);
  return { fd: copy.fd, port };
}

interface Http2Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly text: string;
}

function ask2(
  session: ClientHttp2Session,
  headers: Readonly<Record<string, string>>,
  body?: string,
): Promise<Http2Reply> {
  return new Promise((resolve, reject) => {
    const stream = session.request({ ':authority': `${name}:843`, ...headers });
    let found: Record<string, unknown> = {};
    let text = '';
    stream.setEncoding('utf8');
    stream.once('response', (each) => (found = each));
    stream.on('data', (chunk: string) => (text += chunk));
    stream.once('error', reject);
    stream.once('close', () => resolve({ status: Number(found[':status']), headers: found, text }));
    stream.end(body);
  });
}

describe('TLS', { skip }, () => {
  test('closes connections as long as there is no certificate, and takes over another one', async () => {
    using directory = temporaryDirectory('tls');
    await using network = await Network.start();
    assert.equal(await network.ask(), undefined);
    const one = makeCertificate(`${directory.path}/one`, [name]);
    const two = makeCertificate(`${directory.path}/two`, ['second.example']);
    network.front.adoptCertificate(one);
    assert.equal(await network.ask(), 200);
    const shown = () =>
      new Promise<string>((resolve, reject) => {
        const where = { host: '127.0.0.1', port: network.port, rejectUnauthorized: false };
        const socket = connectTls(where, () => {
          resolve(socket.getPeerCertificate().subjectaltname ?? '');
          socket.destroy();
        });
        socket.on('error', reject);
      });
    assert.equal(await shown(), `DNS:${name}`);
    assert.throws(() => network.front.adoptCertificate({ ...two, key: 'nonsense' }));
    assert.equal(await shown(), `DNS:${name}`);
    network.front.adoptCertificate(two);
    assert.equal(await shown(), 'DNS:second.example');
    network.front.adoptCertificate(undefined);
    assert.equal(await network.ask(), undefined);
  });

  test('T5, T7, T11: HTTP/2 is guarded like HTTP/1.1, and a code is exchanged once', async () => {
    using directory = temporaryDirectory('tls');
    await using network = await Network.start();
    network.front.adoptCertificate(makeCertificate(`${directory.path}/one`, [name]));
    assert.equal(await network.ask('evil.example'), 421);
    const session = network.http2();
    const page = await ask2(session, { ':path': '/' });
    assert.deepEqual([page.status, page.text], [200, '<!doctype html>']);
    assert.match(String(page.headers['content-security-policy']), /frame-ancestors 'none'/);
    const status = async (headers: Record<string, string>) => (await ask2(session, headers)).status;
    assert.equal(await status({ ':path': '/', ':authority': 'evil.example' }), 421);
    assert.equal(await status({ ':path': '/', host: 'evil.example' }), 400);
    assert.equal(await status({ ':path': '/v1/top' }), 401);
    const code = await network.stage.code(uids.bob);
    const body = JSON.stringify({ code });
    const login = (site: string) =>
      ask2(
        session,
        {
          ':method': 'POST',
          ':path': '/v1/console/session',
          'content-type': 'application/json',
          'content-length': String(body.length),
          'sec-fetch-site': site,
        },
        body,
      );
    assert.equal((await login('same-site')).status, 403);
    const begun = await login('same-origin');
    assert.equal(begun.status, 200, begun.text);
    assert.equal((await login('same-origin')).status, 401);
    const { token } = JSON.parse(begun.text) as { readonly token: string };
    const authorization = `Bearer ${token}`;
    const top = await ask2(session, { ':path': '/v1/console/session', authorization });
    assert.deepEqual([top.status, top.headers['cache-control']], [200, 'no-store']);
    session.destroy();
  });

  test('a stream over HTTP/2 arrives tick by tick, beside other requests', async () => {
    using directory = temporaryDirectory('tls');
    await using network = await Network.start();
    network.front.adoptCertificate(makeCertificate(`${directory.path}/one`, [name]));
    const { stage } = network;
    stage.tick(1, { [uids.bob]: 1 });
    const { token } = await stage.login(uids.bob);
    const session = network.http2();
    const stream = session.request({
      ':authority': name,
      ':path': '/v1/console/stream',
      authorization: `Bearer ${token}`,
      'accept-encoding': 'gzip',
    });
    let text = '';
    stream
      .pipe(createGunzip())
      .on('data', (chunk: Buffer) => (text += chunk.toString()))
      .on('error', () => {});
    const frames = () => [...text.matchAll(/^data: (.*)$/gm)].length;
    await eventually('the first frame', () => frames() === 1);
    stage.tick(2, { [uids.bob]: 2 });
    await eventually('the second frame', () => frames() === 2);
    assert.equal((await ask2(session, { ':path': '/' })).status, 200);
    session.destroy();
  });

  test('T13: a network has few connections, and silence or nonsense harms nobody', async () => {
    using directory = temporaryDirectory('tls');
    await using network = await Network.start();
    network.front.adoptCertificate(makeCertificate(`${directory.path}/one`, [name]));
    let closed = 0;
    const sockets = Array.from({ length: 40 }, () => {
      const socket = connect(network.port, '127.0.0.1');
      socket.on('error', () => {});
      socket.once('close', () => closed++);
      return socket;
    });
    await eventually('some are refused', () => closed >= 8);
    assert.equal(await network.ask(), undefined);
    for (const socket of sockets) socket.write('GET / HTTP/1.1\r\n\r\n');
    await eventually('all are closed', () => closed === 40);
    assert.equal(await eventually('it answers', () => network.ask()), 200);
  });
});
