/** The front of the console between real clients and the agent's real sockets. */
import assert from 'node:assert/strict';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { request, type IncomingMessage } from 'node:http';
import { connect, createServer, type Socket } from 'node:net';
import { describe, test } from 'node:test';
import { brotliCompressSync, brotliDecompressSync, createGunzip, gunzipSync } from 'node:zlib';
import type { ConsoleFrame, ConsoleSessionStart } from '../../src/agent/api/console-api.ts';
import { allowedNames } from '../../src/console/core/hosts.ts';
import { Front } from '../../src/console/io/front.ts';
import { readServedFiles } from '../../src/console/io/served-files.ts';
import { eventually } from '../../testing/patience.ts';
import { temporaryDirectory } from '../../testing/temporary-directory.ts';
import { ask, policy, reasonOf, Stage, uids, type Ask, type Reply } from './stage.ts';

const script = 'export const page = 1;\n'.repeat(50);

class Served implements AsyncDisposable {
  readonly #directory = temporaryDirectory('front', undefined, 0o755);
  readonly path = `${this.#directory.path}/console.sock`;
  readonly stage: Stage;
  idles = 0;
  #front: Front | undefined;

  private constructor(stage: Stage) {
    this.stage = stage;
  }

  static async start(idleMilliseconds = 600_000): Promise<Served> {
    const served = new Served(await Stage.start());
    const { path } = served.#directory;
    const files = [
      { path: '/', file: 'index.html' },
      { path: '/app-1.js', file: 'app-1.js', immutable: true, br: true },
    ];
    writeFileSync(`${path}/manifest.json`, JSON.stringify({ files }));
    writeFileSync(`${path}/index.html`, '<!doctype html><script src="./app-1.js"></script>');
    writeFileSync(`${path}/app-1.js`, script);
    writeFileSync(`${path}/app-1.js.br`, brotliCompressSync(script));
    const read = readServedFiles(path);
    assert.ok(read.ok, JSON.stringify(read));
    const names = allowedNames(['limits.server.example']);
    assert.ok(names);
    served.#front = new Front({
      agentSocket: served.stage.front,
      files: read.value,
      names,
      frameAncestors: [],
      idleMilliseconds,
      onIdle: () => served.idles++,
    });
    const listens = await served.#front.listen({ path: served.path });
    assert.ok(listens.ok);
    return served;
  }

  ask(path: string, options: Ask = {}): Promise<Reply> {
    const headers = { host: 'localhost:8642', ...options.headers };
    return ask(this.path, path, { ...options, headers });
  }

  /** Logs in as the page does. */
  async login(uid: number, query = ''): Promise<ConsoleSessionStart> {
    const body = JSON.stringify({ code: await this.stage.code(uid, query) });
    const headers = {
      'content-type': 'application/json',
      'content-length': `${body.length}`,
      'sec-fetch-site': 'same-origin',
    };
    const reply = await this.ask('/v1/console/session', { method: 'POST', headers, body });
    assert.equal(reply.status, 200, reply.text);
    return reply.json<ConsoleSessionStart>();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#front?.[Symbol.asyncDispose]();
    await this.stage[Symbol.asyncDispose]();
    this.#directory.remove();
  }
}

const withToken = (token: string) => ({ authorization: `Bearer ${token}` });

/** A page that shows live data. */
class Page implements Disposable {
  readonly frames: ConsoleFrame[] = [];
  readonly response: IncomingMessage;
  /** The bytes as they came, in hexadecimal. */
  bytes = '';
  isOver = false;

  private constructor(response: IncomingMessage) {
    this.response = response;
    let text = '';
    const take = (chunk: Buffer) => {
      text += chunk.toString('utf8');
      const events = text.split('\n\n');
      text = events.pop() ?? '';
      for (const event of events) {
        const data = /^event: frame\ndata: (.*)$/.exec(event)?.[1];
        if (data !== undefined) this.frames.push(JSON.parse(data) as ConsoleFrame);
      }
    };
    response.once('close', () => (this.isOver = true));
    response.on('error', () => {});
    if (response.headers['content-encoding'] !== 'gzip') response.on('data', take);
    else {
      response.on('data', (chunk: Buffer) => (this.bytes += chunk.toString('hex')));
      response
        .pipe(createGunzip())
        .on('data', take)
        .on('error', () => {});
    }
  }

  static async open(to: Served, token: string, encoding = 'gzip'): Promise<Page> {
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      const headers = { host: 'localhost', ...withToken(token), 'accept-encoding': encoding };
      const sent = request({
        socketPath: to.path,
        path: '/v1/console/stream',
        headers,
        agent: false,
      });
      sent.once('response', resolve);
      sent.once('error', reject);
      sent.end();
    });
    return new Page(response);
  }

  get status(): number {
    return this.response.statusCode ?? 0;
  }

  async got(at: number): Promise<ConsoleFrame> {
    return eventually(`a frame of ${at}`, () => this.frames.find((each) => each.at === at));
  }

  [Symbol.dispose](): void {
    this.response.destroy();
  }
}

describe('Front', () => {
  test('serves the files of its list, and no others', async () => {
    await using served = await Served.start();
    const page = await served.ask('/');
    assert.equal(page.status, 200);
    assert.match(page.text, /^<!doctype html>/);
    assert.equal(page.headers['cache-control'], 'no-cache');
    assert.match(String(page.headers['content-security-policy']), /trusted-types 'none'/);
    assert.equal(page.headers['set-cookie'], undefined);
    const app = await served.ask('/app-1.js?x=1');
    assert.equal(app.text, script);
    assert.match(String(app.headers['cache-control']), /immutable/);
    const again = { 'if-none-match': String(app.headers['etag']) };
    assert.equal((await served.ask('/app-1.js', { headers: again })).status, 304);
    const small = await raw(
      served.path,
      'GET /app-1.js HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: gzip, br\r\nConnection: close\r\n\r\n',
    );
    const [head = ''] = small.toString('latin1').split('\r\n\r\n');
    assert.match(head, /content-encoding: br/i);
    assert.equal(brotliDecompressSync(small.subarray(head.length + 4)).toString(), script);
    for (const path of [
      '/manifest.json',
      '/index.html',
      '/../etc/passwd',
      '/%2e%2e/manifest.json',
      '/console.sock',
    ])
      assert.equal((await served.ask(path)).status, 404, path);
  });

  test('T1, T8: gives nobody anything without a token, not even root', async () => {
    await using served = await Served.start();
    const claims = { 'x-remote-user': 'root', 'x-forwarded-user': 'root', cookie: 'session=root' };
    for (const uid of [0, uids.bob]) {
      const reply = await served.ask('/v1/status', { uid, headers: claims });
      assert.equal(reply.status, 401);
    }
    assert.equal(
      (await served.ask('/v1/status', { headers: withToken('A'.repeat(43)) })).status,
      401,
    );
  });

  test('T11: exchanges a code once, and passes questions on with the rights of the token', async () => {
    await using served = await Served.start();
    const bob = await served.login(uids.bob);
    const top = await served.ask('/v1/top?all=1', { headers: withToken(bob.token) });
    assert.equal(top.status, 200, top.text);
    assert.deepEqual(
      top.json<{ rows: { name: string }[] }>().rows.map(({ name }) => name),
      ['bob'],
    );
    assert.equal(top.headers['cache-control'], 'no-store');
    assert.equal(top.headers['content-type'], 'application/json');
    const status = await served.ask('/v1/status', { headers: withToken(bob.token) });
    assert.equal(status.status, 403);
    assert.match(reasonOf(status), /only root/);
    const root = await served.login(0);
    assert.equal((await served.ask('/v1/status', { headers: withToken(root.token) })).status, 200);
    const ends = { method: 'POST', headers: withToken(root.token) };
    assert.equal((await served.ask('/v1/console/end', ends)).status, 200);
    assert.equal((await served.ask('/v1/status', { headers: withToken(root.token) })).status, 401);
    const code = await served.stage.code(0);
    const body = JSON.stringify({ code });
    const headers = { 'content-type': 'application/json', 'content-length': `${body.length}` };
    const first = await served.ask('/v1/console/session', { method: 'POST', headers, body });
    assert.deepEqual([first.status, first.headers['cache-control']], [200, 'no-store']);
    const second = await served.ask('/v1/console/session', { method: 'POST', headers, body });
    assert.equal(second.status, 401);
  });

  test("T4, T5, T7: answers neither other sites' pages nor other names", async () => {
    await using served = await Served.start();
    const { token } = await served.login(0);
    const foreign = [
      { 'sec-fetch-site': 'same-site' },
      { 'sec-fetch-site': 'cross-site' },
      { origin: 'https://alice.server.example' },
    ];
    for (const each of foreign) {
      const headers = { ...withToken(token), ...each };
      assert.equal((await served.ask('/v1/top', { headers })).status, 403, JSON.stringify(each));
    }
    const rebound = { ...withToken(token), host: 'evil.example' };
    assert.equal((await served.ask('/v1/top', { headers: rebound })).status, 421);
  });

  test('says that the agent is away, and goes on when it is back', async () => {
    await using served = await Served.start();
    const { token } = await served.login(0);
    await served.stage.end();
    assert.equal((await served.ask('/v1/top', { headers: withToken(token) })).status, 503);
    await served.stage.begin();
    assert.equal((await served.ask('/v1/top', { headers: withToken(token) })).status, 200);
  });

  test('T13: bounds headers and bodies, and drops who does not speak HTTP', async () => {
    await using served = await Served.start();
    const head = 'POST /v1/console/session HTTP/1.1\r\nHost: localhost\r\n';
    const json = 'Content-Type: application/json\r\n';
    const long = await raw(
      served.path,
      `${head}${json}Content-Length: 100000\r\n\r\n${'x'.repeat(1000)}`,
    );
    assert.match(long.toString(), /^HTTP\/1\.1 413 /);
    const chunked = await raw(
      served.path,
      `${head}${json}Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n`,
    );
    assert.match(chunked.toString(), /^HTTP\/1\.1 413 /);
    const twice = await raw(served.path, `${head}Host: evil.example\r\nConnection: close\r\n\r\n`);
    assert.match(twice.toString(), /^HTTP\/1\.1 400 /);
    const large = await raw(
      served.path,
      `GET / HTTP/1.1\r\nHost: localhost\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`,
    );
    assert.match(large.toString(), /^HTTP\/1\.1 431 /);
    const smuggled = await raw(
      served.path,
      `${head}${json}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    );
    assert.match(smuggled.toString(), /^HTTP\/1\.1 4\d\d /);
    assert.match((await raw(served.path, 'nonsense\r\n\r\n')).toString(), /^HTTP\/1\.1 400 /);
  });

  test('T13: a connection has few requests in progress', async () => {
    await using served = await Served.start();
    const { token } = await served.login(uids.bob);
    const one = `GET /v1/top HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${token}\r\n`;
    const replies = await raw(
      served.path,
      `${one}\r\n`.repeat(9) + `${one}Connection: close\r\n\r\n`,
    );
    const statuses = [...replies.toString().matchAll(/HTTP\/1\.1 (\d+)/g)].map(
      ([, status]) => status,
    );
    assert.deepEqual(statuses, ['200', '200', '200', '200', '429']);
  });

  test('T13: an account that takes all connections leaves some for root', async () => {
    await using served = await Served.start();
    const open = new Set<Socket>();
    let refused = 0;
    process.seteuid?.(uids.bob);
    for (let index = 0; index < 400; index++) {
      const socket = connect(served.path);
      open.add(socket);
      socket.on('error', () => {});
      socket.once('close', () => refused++);
    }
    process.seteuid?.(0);
    await eventually('some are refused', () => refused >= 80);
    assert.equal((await served.ask('/')).status, 200);
    assert.equal((await served.ask('/', { uid: uids.carol })).status, 200);
    for (const socket of open) socket.destroy();
  });

  test('T12, T13: wrong tokens and codes are bounded, and disturb nobody who is logged in', async () => {
    await using served = await Served.start();
    const known = await served.login(uids.bob);
    const top = { uid: uids.bob, headers: withToken(known.token) };
    assert.equal((await served.ask('/v1/top', top)).status, 200);
    const statuses = new Map<number, number>();
    const tries = Array.from({ length: 200 }, async (_, index) => {
      const wrong = String(index).padStart(43, 'A');
      const isCode = index % 2 === 0;
      const body = isCode ? JSON.stringify({ code: wrong }) : '';
      const json = { 'content-type': 'application/json', 'content-length': `${body.length}` };
      const { status } = await (isCode
        ? served.ask('/v1/console/session', { uid: uids.bob, method: 'POST', headers: json, body })
        : served.ask('/v1/top', { uid: uids.bob, headers: withToken(wrong) }));
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
    });
    await Promise.all(tries);
    assert.deepEqual([...statuses.keys()].toSorted(), [401, 429]);
    assert.ok((statuses.get(429) ?? 0) > 50, JSON.stringify([...statuses]));
    assert.equal((await served.ask('/v1/top', top)).status, 200);
    // Others and root have their own share.
    const carol = { uid: uids.carol, headers: withToken((await served.login(0)).token) };
    assert.equal((await served.ask('/v1/top', carol)).status, 200);
    assert.equal((await served.ask('/v1/top', { headers: carol.headers })).status, 200);
  });

  test('compresses answers for clients that take it, and never the answer with a token', async () => {
    await using served = await Served.start();
    const many = Array.from({ length: 60 }, (_, index) => `<tenant uid="${6000 + index}"/>`);
    served.stage.adopt(`${policy}${many.join('')}`);
    const body = JSON.stringify({ code: await served.stage.code(0) });
    const asks = (head: string, rest = '') =>
      raw(served.path, `${head} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n${rest}`);
    const login = await asks(
      'POST /v1/console/session',
      `Accept-Encoding: gzip\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    );
    assert.match(login.toString(), /^HTTP\/1\.1 200 /);
    assert.doesNotMatch(login.toString(), /content-encoding/i);
    const { token } = await served.login(0);
    const bearer = `Authorization: Bearer ${token}\r\n`;
    const encodingOf = async (path: string, accepts: string) => {
      const reply = await asks(`GET ${path}`, `${bearer}Accept-Encoding: ${accepts}\r\n\r\n`);
      return /content-encoding: (\S+)/i.exec(reply.toString('latin1'))?.[1];
    };
    assert.equal(await encodingOf('/v1/top?all=1', 'gzip, br'), 'gzip');
    assert.equal(await encodingOf('/v1/top?all=1', 'br, gzip;q=0.5'), 'gzip');
    for (const refused of ['', 'br', 'identity', 'gzip;q=0', 'xgzip'])
      assert.equal(await encodingOf('/v1/top?all=1', refused), undefined, refused);
    // Tiny, and refused ones.
    assert.equal(await encodingOf('/v1/console/session', 'gzip'), undefined);
    assert.equal(await encodingOf('/v1/tenants/none/processes', 'gzip'), undefined);
    const whole = await served.ask('/v1/top?all=1', { headers: withToken(token) });
    const packed = await new Promise<Buffer>((resolve, reject) => {
      const headers = { host: 'localhost', ...withToken(token), 'accept-encoding': 'gzip' };
      const options = { socketPath: served.path, path: '/v1/top?all=1', headers, agent: false };
      request(options, (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('end', () => resolve(Buffer.concat(chunks)));
      })
        .on('error', reject)
        .end();
    });
    assert.equal(gunzipSync(packed).toString(), whole.text);
    assert.ok(packed.length < whole.text.length / 3);
  });

  test('calls onIdle when nobody has been there for the time', async () => {
    await using served = await Served.start(50);
    await served.ask('/');
    await eventually('it is idle', () => served.idles > 0);
    const before = served.idles;
    const socket = connect(served.path);
    socket.on('error', () => {});
    await eventually('it is connected', () => !socket.connecting);
    socket.destroy();
    await eventually('it is idle again', () => served.idles > before);
  });

  test('listens on a socket that somebody else has made', async () => {
    using directory = temporaryDirectory('front-fd');
    const path = `${directory.path}/socket`;
    // It leaves every connection to the front.
    const holder = createServer((socket) => socket.destroy());
    await new Promise<void>((resolve) => holder.listen(path, resolve));
    const { fd = -1 } = (holder as unknown as { _handle: { fd?: number } })._handle;
    const { duplicateDescriptor } = await import('../../src/sys/syscalls.ts');
    const copy = duplicateDescriptor(fd);
    assert.ok('fd' in copy);
    await using front = new Front({
      agentSocket: `${directory.path}/missing`,
      files: new Map(),
      names: new Set(['localhost']),
      frameAncestors: [],
    });
    assert.ok((await front.listen({ fd: copy.fd })).ok);
    const status = await eventually('it answers', async () => {
      const reply = await ask(path, '/', { headers: { host: 'localhost' } }).catch(() => undefined);
      return reply?.status;
    });
    assert.equal(status, 404);
    holder.close();
  });
});

describe('streams', () => {
  test('all pages of an audience get the same compressed bytes; each audience only its own rows', async () => {
    await using served = await Served.start();
    const { stage } = served;
    stage.tick(1, { [uids.alice]: 1, [uids.bob]: 2 });
    const [root, again, bob] = [
      await served.login(0),
      await served.login(0),
      await served.login(uids.bob),
    ];
    using first = await Page.open(served, root.token);
    using second = await Page.open(served, again.token);
    using plain = await Page.open(served, root.token, 'identity');
    using own = await Page.open(served, bob.token);
    assert.equal(first.response.headers['content-type'], 'text/event-stream');
    assert.equal(first.response.headers['cache-control'], 'no-store');
    const pages = [first, second, plain, own];
    for (const page of pages) await page.got(1);
    stage.tick(2, { [uids.alice]: 3, [uids.bob]: 4 });
    for (const page of pages) await page.got(2);
    const members = [`u${uids.alice}`, `u${uids.bob}`];
    for (const page of [first, second, plain])
      assert.deepEqual(
        page.frames.map((each) => each.members),
        [members, members],
      );
    assert.deepEqual(
      own.frames.map((each) => each.members),
      [[members[1]], [members[1]]],
    );
    assert.deepEqual(
      own.frames.map((each) => each.usage.cpu),
      [[2], [4]],
    );
    const ending = first.bytes.slice(-64);
    assert.ok(second.bytes.includes(ending));
  });

  test('a stream begins with the ticks before, and so does each generation', async () => {
    await using served = await Served.start();
    const { stage } = served;
    stage.tick(1, { [uids.bob]: 1 });
    const { token } = await served.login(0);
    using page = await Page.open(served, token);
    await page.got(1);
    stage.tick(2, { [uids.bob]: 2 });
    await page.got(2);
    stage.adopt(policy);
    stage.tick(3, { [uids.bob]: 3 });
    await page.got(3);
    assert.deepEqual(
      page.frames.map(({ past }) => past?.at),
      [[1], undefined, [1, 2, 3]],
    );
    using late = await Page.open(served, token);
    assert.deepEqual((await late.got(3)).past?.cpu, [[1, 2, 3]]);
  });

  test('a stream ends with its session, whoever else is in its audience', async () => {
    await using served = await Served.start();
    const { stage } = served;
    stage.tick(1, { [uids.bob]: 1 });
    const [kept, ended] = [await served.login(uids.bob), await served.login(uids.bob)];
    using stays = await Page.open(served, kept.token);
    using goes = await Page.open(served, ended.token);
    await goes.got(1);
    await stage.with(kept.token, `/v1/console/end?id=${ended.id}`, 'POST');
    stage.tick(2, { [uids.bob]: 2 });
    await stays.got(2);
    await eventually('it is closed', () => goes.isOver);
    assert.deepEqual(
      goes.frames.map(({ at }) => at),
      [1],
    );
    // The one whose token the front asks with.
    await stage.with(kept.token, '/v1/console/end', 'POST');
    await eventually('it is closed', () => stays.isOver);
  });

  test('a stream ends when its account is not a tenant any more', async () => {
    await using served = await Served.start();
    const { stage } = served;
    stage.tick(1, { [uids.bob]: 1 });
    using page = await Page.open(served, (await served.login(uids.bob)).token);
    await page.got(1);
    stage.adopt('<tenant user="carol"/>');
    stage.tick(2, { [uids.bob]: 2 });
    await eventually('it is closed', () => page.isOver);
    assert.deepEqual(
      page.frames.map(({ at }) => at),
      [1],
    );
  });

  test('a stream outlasts a restart of the agent', async () => {
    await using served = await Served.start();
    const { stage } = served;
    stage.tick(1, {});
    using page = await Page.open(served, (await served.login(0)).token);
    await page.got(1);
    await stage.end();
    await stage.begin();
    stage.adopt('<tenant user="bob"/>');
    stage.tick(2, {});
    await page.got(2);
    assert.equal(page.isOver, false);
  });

  test('T13: a session has two streams', async () => {
    await using served = await Served.start();
    served.stage.tick(1, {});
    const { token } = await served.login(0);
    const opened = await Promise.all([1, 2, 3].map(() => Page.open(served, token)));
    assert.deepEqual(opened.map(({ status }) => status).toSorted(), [200, 200, 429]);
    for (const page of opened) page[Symbol.dispose]();
    const later = await eventually('another one is free', async () => {
      const page = await Page.open(served, token);
      if (page.status === 200) return page;
      page[Symbol.dispose]();
      return undefined;
    });
    later[Symbol.dispose]();
    using refused = await Page.open(served, 'A'.repeat(43));
    assert.equal(refused.status, 401);
  });
});

test('readServedFiles() follows no link and needs every file of its list', () => {
  using directory = temporaryDirectory('files');
  const write = (files: readonly object[]) =>
    writeFileSync(`${directory.path}/manifest.json`, JSON.stringify({ files }));
  assert.equal(readServedFiles(directory.path).ok, false);
  write([{ path: '/', file: 'index.html' }]);
  assert.equal(readServedFiles(directory.path).ok, false);
  symlinkSync('/etc/passwd', `${directory.path}/index.html`);
  assert.equal(readServedFiles(directory.path).ok, false);
  write([{ path: '/', file: 'dir.html' }]);
  mkdirSync(`${directory.path}/dir.html`);
  assert.equal(readServedFiles(directory.path).ok, false);
});

/** Sends text, and returns what comes until the other end closes. */
async function raw(path: string, text: string): Promise<Buffer> {
  const socket = connect(path);
  const chunks: Buffer[] = [];
  socket.on('error', () => {});
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  const closed = new Promise((resolve) => socket.once('close', resolve));
  socket.write(text);
  await closed;
  return Buffer.concat(chunks);
}
