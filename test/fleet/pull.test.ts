/** `bulkhead fleet pull` from a real nginx with TLS: what it fetches, what it refuses, and what it hands over. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { execFile, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  mkdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import { after, before, suite, test } from 'node:test';
import { errorBody } from '../../src/agent/api/error-body.ts';
import type { FleetPullJson } from '../../src/fleet/commands/json.ts';
import { bundleUrl } from '../../src/fleet/io/pull/fetch-bundle.ts';
import { verifyBundle } from '../../src/fleet/io/verify/verify-bundle.ts';
import { pathsOf } from '../../src/host/paths.ts';
import { freePort } from '../../testing/free-port.ts';
import { jsonOf } from '../../testing/json-output.ts';
import { eventually } from '../../testing/patience.ts';
import { suiteDirectory } from '../../testing/temporary-directory.ts';
import { mainFile } from '../../testing/program.ts';
import { bundles, fleet, person, signedTrust, start, trustOf } from './people.ts';

const instance = 'bulkhead-fleet-pull';
const host = 'web-001';
const skip = process.geteuid?.() === 0 ? false : 'it needs root, for a directory in /run';

test('bundleUrl() takes https, and http of this host only', () => {
  const url = (base: string) => {
    const made = bundleUrl(base, host);
    return made.ok ? made.value.href : made.error.reason;
  };
  assert.equal(url('https://f.example'), 'https://f.example/hosts/web-001.json');
  assert.equal(url('https://f.example/a/b/'), 'https://f.example/a/b/hosts/web-001.json');
  assert.equal(url('http://127.0.0.1:80/a'), 'http://127.0.0.1/a/hosts/web-001.json');
  assert.equal(url('http://[::1]:8080'), 'http://[::1]:8080/hosts/web-001.json');
  for (const base of [
    'http://f.example',
    'http://127.0.0.1.example',
    'ftp://f.example',
    'file:///',
  ])
    assert.equal(url(base), 'it is not https');
  for (const base of ['https://u:p@f.example', 'https://f.example/?a', 'https://f.example/#a'])
    assert.equal(url(base), 'it has more than a host and a path');
  assert.equal(url('nonsense'), 'it is not an address');
});

suite('bulkhead fleet pull', { skip }, () => {
  const directory = suiteDirectory('fleet-pull', '/tmp', 0o755);
  const web = join(directory, 'web');
  const state = join(directory, 'state');
  const file = join(web, 'hosts', `${host}.json`);
  const certificate = join(directory, 'tls.pem');
  const { runtime } = pathsOf(instance);
  const alice = person(directory, 'alice');
  const trust = trustOf(1, [alice]);
  const bundleOf = (generation: number) =>
    bundles({ chain: [signedTrust(trust)], signers: [alice], head: { generation } }).get(host) ??
    '';

  let from: readonly string[] = [];
  /** The answer to a release; undefined verifies it. */
  let answer: { readonly status: number; readonly reason: string } | undefined;
  const handed: string[] = [];
  const records: string[] = [];
  let isLed = false;
  const agent = createServer((request, response) => void reply(request, response));
  let nginx: ReturnType<typeof spawn>;
  let port = 0;
  let plainPort = 0;

  /** The agent's side: it verifies what it gets, as the real one does first. */
  async function reply(request: IncomingMessage, response: ServerResponse) {
    const end = (status: number, value: object) => {
      response.writeHead(status, { 'content-type': 'application/json' });
      response.end(JSON.stringify(value));
    };
    if (request.url === '/v1/fleet')
      return end(200, {
        state: 'healthy',
        fleet,
        host,
        from,
        ...(isLed && { hasControllers: true }),
      });
    const chunks = (await request.toArray()) as Buffer[];
    const text = Buffer.concat(chunks).toString('utf8');
    if (request.url === '/v1/fleet/record') {
      records.push(text);
      return end(text === 'refused' ? 422 : 200, {});
    }
    handed.push(text);
    const action = 'take the release';
    if (answer !== undefined) return end(answer.status, errorBody({ action, ...answer }));
    const verified = verifyBundle(text, { fleet, host, trust, newest: undefined }, start);
    if (verified.ok) return end(200, { state: 'watching', problems: [] });
    return end(422, errorBody({ action, ...verified.error }));
  }

  before(async () => {
    for (const each of [join(web, 'hosts'), state, runtime]) mkdirSync(each, { recursive: true });
    agent.listen(join(runtime, 'control.sock'));
    await once(agent, 'listening');
    const key = join(directory, 'tls.key');
    const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost'];
    const made = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
    execFileSync('openssl', [...made, '-keyout', key, '-out', certificate, ...subject], {
      stdio: 'ignore',
    });
    [port, plainPort] = [await freePort(), await freePort()];
    const config = join(directory, 'nginx.conf');
    writeFileSync(
      config,
      `user root; daemon off; pid ${directory}/pid; error_log ${directory}/error.log;
      events {}
      http {
        access_log ${directory}/access.log;
        server {
          listen 127.0.0.1:${port} ssl; listen 127.0.0.1:${plainPort};
          ssl_certificate ${certificate}; ssl_certificate_key ${key};
          location / { root ${web}; }
          location /moved/ { return 302 https://localhost:${port}/hosts/${host}.json; }
        }
      }`,
    );
    nginx = spawn('nginx', ['-c', config, '-p', directory], { stdio: 'ignore' });
    await eventually('nginx listens', async () => {
      const socket = connect(port, '127.0.0.1');
      const isOpen = await once(socket, 'connect').then(
        () => true,
        () => false,
      );
      socket.destroy();
      return isOpen;
    });
    from = [`https://localhost:${port}/`];
  });
  after(() => {
    nginx.kill();
    agent.close();
    rmSync(runtime, { recursive: true, force: true });
  });

  interface Ran {
    readonly status: number;
    readonly stdout: string;
    readonly stderr: string;
  }
  const run = (environment: NodeJS.ProcessEnv = {}, ...args: readonly string[]) =>
    new Promise<Ran>((resolve) => {
      const env = {
        ...process.env,
        SSL_CERT_FILE: certificate,
        STATE_DIRECTORY: state,
        ...environment,
      };
      const all = [mainFile, '--instance', instance, 'fleet', 'pull', ...args];
      const child = execFile(process.execPath, all, { env }, (_, stdout, stderr) =>
        resolve({ status: child.exitCode ?? -1, stdout, stderr }),
      );
    });
  async function pulled(): Promise<FleetPullJson> {
    const { status, stdout, stderr } = await run({}, '--json');
    assert.equal(status, 0, stderr);
    return jsonOf<FleetPullJson>('fleet pull', stdout);
  }
  const publish = (text: string) => {
    writeFileSync(file, text);
    chmodSync(file, 0o644);
    // Long ago, each at a second of its own: then nginx gives each a tag of its own.
    published += 1;
    utimesSync(file, 1_700_000_000 + published, 1_700_000_000 + published);
  };
  let published = 0;
  const asked = () => readFileSync(join(directory, 'access.log'), 'utf8').trim().split('\n');

  test('hands a release to the agent, byte for byte', async () => {
    const bundle = bundleOf(1);
    publish(bundle);
    const url = `https://localhost:${port}/hosts/web-001.json`;
    assert.deepEqual(await pulled(), { url, isSame: false, state: 'watching' });
    assert.equal(handed.pop(), bundle);
  });

  test('fetches nothing twice, and hands the last one over again', async () => {
    assert.equal((await pulled()).isSame, true);
    assert.match(asked().at(-1) ?? '', / 304 0 /);
    assert.equal(handed.pop(), bundleOf(1));
    publish(bundleOf(2));
    assert.equal((await pulled()).isSame, false);
    assert.equal(handed.pop(), bundleOf(2));
  });

  test('keeps no tag of a file that was just written, since the next one could have the same', async () => {
    publish(bundleOf(3));
    const now = Date.now() / 1000;
    utimesSync(file, now, now);
    assert.equal((await pulled()).isSame, false);
    assert.equal((await pulled()).isSame, false);
    assert.equal(handed.pop(), bundleOf(3));
    publish(bundleOf(2));
  });

  test('without a place to keep it, or with a damaged one, it fetches the whole', async () => {
    const last = join(state, 'last.json');
    await pulled();
    writeFileSync(last, readFileSync(last, 'utf8').slice(0, 100));
    assert.equal((await pulled()).isSame, false);
    const { stdout } = await run({ STATE_DIRECTORY: undefined }, '--json');
    assert.equal(jsonOf<FleetPullJson>('fleet pull', stdout).isSame, false);
  });

  test('a release that the agent refuses is a failure, and one that it takes later is not', async () => {
    publish(bundleOf(3).replace('web-001', 'web-009'));
    const refused = await run();
    assert.deepEqual([refused.status, refused.stdout], [1, '']);
    assert.match(refused.stderr, /Cannot take the release: .*not in the release/);
    publish(bundleOf(3));
    answer = { status: 409, reason: 'root holds it' };
    const held = await run({}, '--json');
    assert.equal(held.status, 0);
    assert.match(held.stderr, /root holds it/);
    assert.equal(jsonOf<FleetPullJson>('fleet pull', held.stdout).state, null);
    answer = undefined;
    // The server has nothing new, and the agent gets it all the same.
    assert.deepEqual([(await pulled()).isSame, handed.pop()], [true, bundleOf(3)]);
  });

  test('a server that the host does not know, a redirect and a missing file are failures', async () => {
    const before = handed.length;
    const unknown = await run({ SSL_CERT_FILE: '/nonexistent' });
    assert.equal(unknown.status, 1);
    assert.match(unknown.stderr, /self-signed certificate/);
    from = [`https://127.0.0.1:${port}/`];
    assert.match((await run()).stderr, /does not match certificate's altnames/);
    from = [`https://localhost:${port}/moved/`];
    assert.match((await run()).stderr, /status 302, which is not followed/);
    from = [`https://localhost:${port}/elsewhere/`];
    assert.match((await run()).stderr, /status 404/);
    from = ['http://fleet.example/'];
    assert.match((await run()).stderr, /it is not https/);
    from = ['tls://nats.example:4222'];
    assert.match((await run()).stderr, /names no https address/);
    from = [];
    assert.equal((await run()).status, 1);
    assert.equal(handed.length, before);
  });

  test('the record of a rollout is fetched beside the release, if the fleet has controllers', async () => {
    from = [`https://localhost:${port}/`];
    const bundle = bundleOf(1);
    publish(bundle);
    const record = join(web, 'rollout.json');
    writeFileSync(record, '{"format":1,"record":{}}');
    const first = await run();
    assert.equal(first.status, 0, first.stderr);
    assert.deepEqual(records, []);
    isLed = true;
    try {
      assert.equal((await run()).status, 0);
      assert.deepEqual(records, ['{"format":1,"record":{}}']);
      // What is wrong with the record keeps no release from the agent.
      for (const text of ['refused', 'x'.repeat(70_000)]) {
        writeFileSync(record, text);
        const { status, stderr } = await run();
        assert.equal(status, 0, stderr);
        assert.match(stderr, /rollout\.json/);
        assert.equal(handed.at(-1), bundle);
      }
      assert.equal(records.length, 2);
    } finally {
      isLed = false;
    }
  });

  test('the next address answers for one that is gone; http is for this host', async () => {
    from = [`https://localhost:${await freePort()}/`, `http://127.0.0.1:${plainPort}/`];
    const { status, stderr, stdout } = await run({}, '--json');
    assert.equal(status, 0, stderr);
    assert.match(stderr, /ECONNREFUSED/);
    const { url } = jsonOf<FleetPullJson>('fleet pull', stdout);
    assert.equal(url, `http://127.0.0.1:${plainPort}/hosts/web-001.json`);
  });

  test('a server that stands still, or lies about its number, keeps out nothing that another one has', async () => {
    const other = join(web, 'other', 'hosts');
    mkdirSync(other, { recursive: true });
    from = [`https://localhost:${port}/other/`, `https://localhost:${port}/`];
    publish(bundleOf(4));
    writeFileSync(join(other, `${host}.json`), bundleOf(3));
    utimesSync(join(other, `${host}.json`), 1_700_000_000, 1_700_000_000);
    await pulled();
    assert.equal(handed.pop(), bundleOf(4));
    // Neither sends again what the host has of it.
    assert.equal((await pulled()).isSame, true);
    for (const line of asked().slice(-2)) assert.match(line, / 304 0 /);
    assert.equal(handed.pop(), bundleOf(4));
    const forged = bundleOf(3).replace(String.raw`generation\":3`, String.raw`generation\":99`);
    assert.notEqual(forged, bundleOf(3));
    writeFileSync(join(other, `${host}.json`), forged);
    const { status, stderr } = await run();
    assert.equal(status, 0, stderr);
    assert.match(stderr, /\/other\/.*Cannot take the release/);
    assert.deepEqual(handed.splice(-2), [forged, bundleOf(4)]);
    from = [`https://localhost:${port}/`];
  });

  test('an endless file is not read to its end', async () => {
    publish('');
    truncateSync(file, 200 * 2 ** 20);
    const { status, stderr } = await run();
    assert.equal(status, 1);
    assert.match(stderr, /it has more than 25165824 bytes/);
  });

  test('without an agent it says so', async () => {
    agent.close();
    rmSync(join(runtime, 'control.sock'), { force: true });
    const { status, stderr } = await run();
    assert.equal(status, 1);
    assert.match(stderr, /no agent is running/);
  });
});
