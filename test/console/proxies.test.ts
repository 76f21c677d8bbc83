/**
 * The recipes of docs/console.md in the real nginx and Apache: the page, a login, and live data that arrive while the
 * connection stays open. Only paths and ports are others than in the recipe.
 */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { connect, type ClientHttp2Session } from 'node:http2';
import { test } from 'node:test';
import { freePort } from '../../testing/free-port.ts';
import { eventually } from '../../testing/patience.ts';
import { hasOpenssl, makeCertificate } from './certificates.ts';
import { blocksOf, consoleName, ServedConsole } from './served.ts';
import { uids } from './stage.ts';

const modules = '/usr/lib/apache2/modules';
const has = (program: string) => spawnSync('which', [program]).status === 0;
const missing = (program: string) =>
  !hasOpenssl ? 'there is no openssl' : has(program) ? false : `there is no ${program}`;

interface Place {
  readonly directory: string;
  readonly recipe: string;
}

/** Puts a certificate, the port and the socket of this test into a recipe. */
function placeOf(served: ServedConsole, language: string, port: number): Place {
  const directory = `${served.path}/server`;
  mkdirSync(directory);
  const { files } = makeCertificate(`${directory}/pair`, [consoleName]);
  const [block] = blocksOf('console', language);
  assert.ok(block);
  // The key of this test is for the server, whoever runs it.
  chmodSync(files.key, 0o644);
  const recipe = block
    .replaceAll('/etc/letsencrypt/live/limits.example/fullchain.pem', files.certificate)
    .replaceAll('/etc/letsencrypt/live/limits.example/privkey.pem', files.key)
    .replaceAll('/run/bulkhead/console.sock', served.socket)
    .replaceAll('[::]:443', `[::1]:${port}`)
    .replaceAll('*:443', `127.0.0.1:${port}`)
    .replaceAll(/listen 443\b/g, `listen 127.0.0.1:${port}`);
  assert.doesNotMatch(recipe, /letsencrypt|\b443\b|\/run\/bulkhead/);
  return { directory, recipe };
}

function nginx({ directory, recipe }: Place): ChildProcess {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'];
  const config = `daemon off; master_process off; user root; pid ${directory}/pid;
error_log ${directory}/log; events {}
http { access_log ${directory}/access;
${temporary.map((each) => `${each}_temp_path ${directory}/${each};`).join('\n')}
${recipe} }`;
  writeFileSync(`${directory}/conf`, config);
  return spawn('nginx', ['-e', `${directory}/log`, '-c', `${directory}/conf`], { stdio: 'ignore' });
}

function apache({ directory, recipe }: Place): ChildProcess {
  const wanted = [
    'mpm_event',
    'authz_core',
    'socache_shmcb',
    'ssl',
    'http2',
    'proxy',
    'proxy_http',
  ];
  const [, listen = ''] = /<VirtualHost (\S+)>/.exec(recipe) ?? [];
  const config = `ServerRoot ${directory}
PidFile ${directory}/pid
ErrorLog ${directory}/log
DefaultRuntimeDir ${directory}
Mutex file:${directory}
User www-data
Group www-data
Listen ${listen}
${wanted.map((each) => `LoadModule ${each}_module ${modules}/mod_${each}.so`).join('\n')}
TransferLog ${directory}/access
${recipe}`;
  writeFileSync(`${directory}/conf`, config);
  return spawn('apache2', ['-DFOREGROUND', '-f', `${directory}/conf`], { stdio: 'ignore' });
}

interface Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly text: () => string;
  readonly ended: Promise<unknown>;
  readonly close: () => void;
}

/** Sends a request, and returns the answer while it still comes. */
function send(
  session: ClientHttp2Session,
  headers: Readonly<Record<string, string>>,
  body?: string,
): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const stream = session.request({ ':authority': consoleName, ...headers });
    let text = '';
    stream.setEncoding('utf8');
    stream.on('data', (chunk: string) => (text += chunk));
    stream.on('error', reject);
    const ended = new Promise((done) => stream.once('close', done));
    stream.once('response', (found) =>
      resolve({
        status: Number(found[':status']),
        headers: found,
        text: () => text,
        ended,
        close: () => stream.close(),
      }),
    );
    stream.end(body);
  });
}

for (const [name, language, start] of [
  ['nginx', 'nginx', nginx],
  ['apache2', 'apache', apache],
] as const)
  test(
    `${name}: the recipe serves the page, and live data arrive at once`,
    { skip: missing(name) },
    async () => {
      await using served = await ServedConsole.start();
      const { stage } = served;
      const port = await freePort();
      const place = placeOf(served, language, port);
      const child = start(place);
      const exited = once(child, 'exit');
      const log = () =>
        existsSync(`${place.directory}/log`) ? readFileSync(`${place.directory}/log`, 'utf8') : '';
      let session: ClientHttp2Session | undefined;
      try {
        session = await eventually(
          'it listens',
          async () => {
            assert.equal(child.exitCode, null, log());
            const tried = connect(`https://127.0.0.1:${port}`, { rejectUnauthorized: false });
            const outcome = await Promise.race([
              once(tried, 'connect').then(() => true),
              new Promise<false>((resolve) => tried.once('error', () => resolve(false))),
            ]);
            return outcome ? tried : undefined;
          },
          log,
        );
        const page = await send(session, { ':path': '/' });
        await page.ended;
        assert.deepEqual([page.status, page.text()], [200, '<!doctype html>'], log());
        assert.match(String(page.headers['content-security-policy']), /trusted-types 'none'/);

        // T8: what the server, or a visitor through it, says about the visitor is not an identity.
        const forged = {
          'x-remote-user': 'root',
          'x-forwarded-for': '127.0.0.1',
          authorization: 'Basic cm9vdDo=',
        };
        const refused = await send(session, { ':path': '/v1/top', ...forged });
        assert.equal(refused.status, 401);

        const body = JSON.stringify({ code: await stage.code(uids.bob) });
        const begun = await send(
          session,
          {
            ':method': 'POST',
            ':path': '/v1/console/session',
            'content-type': 'application/json',
            'content-length': String(body.length),
            origin: `https://${consoleName}`,
            'sec-fetch-site': 'same-origin',
          },
          body,
        );
        await begun.ended;
        assert.equal(begun.status, 200, begun.text());
        const { token } = JSON.parse(begun.text()) as { readonly token: string };

        stage.tick(1, { [uids.bob]: 1 });
        const live = await send(session, {
          ':path': '/v1/console/stream',
          authorization: `Bearer ${token}`,
        });
        assert.equal(live.status, 200);
        const frames = () => [...live.text().matchAll(/^data: /gm)].length;
        // The second frame is made after the first has arrived, while nothing has ended: nobody keeps it back.
        await eventually('the first frame', () => frames() === 1, log);
        stage.tick(2, { [uids.bob]: 2 });
        await eventually('the second frame', () => frames() === 2, log);
        const other = await send(session, { ':path': '/' });
        assert.equal(other.status, 200);
        live.close();
        // T11: the code was in a body, and the token in a header.
        const access = readFileSync(`${place.directory}/access`, 'utf8');
        assert.ok(!access.includes(token) && !access.includes(body.slice(9, 52)));
      } finally {
        session?.destroy();
        child.kill('SIGTERM');
        await exited;
      }
    },
  );
