/** The whole way of `sentByWeb`: a real nginx writes its log, `web sync` finds it, and a running agent counts it. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  appendFileSync,
  chownSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  writeFileSync,
} from 'node:fs';
import { connect } from 'node:net';
import { after, before, test } from 'node:test';
import type { SentByWeb } from '../../../src/agent/api/usage-api.ts';
import { freePort } from '../../../testing/free-port.ts';
import { eventually, patienceMilliseconds } from '../../../testing/patience.ts';
import { temporaryDirectory } from '../../../testing/temporary-directory.ts';
import { program, RunningAgent } from '../../agent/running-agent.ts';
import { hostHere } from '../../conformance/host-here.ts';
import type { Host } from '../../../src/host/host.ts';
import { WebStage } from '../stage.ts';

const instance = 'bulkhead-web-sent-test';
const uid = 64_436;
const here = hostHere(instance);
const hasAll = ['/usr/sbin/nginx', '/etc/nginx'].every((path) => existsSync(path));

if ('skip' in here || !hasAll)
  test('sentByWeb of a running agent', { skip: 'skip' in here ? here.skip : 'there is no nginx' });
else suite(here.host);

/** The host of the command has this account and this configuration of nginx; the rest is the same. */
const sync = `
mount --bind "$0/nginx" /etc/nginx
for file in passwd group; do mount --bind "$0/$file" /etc/$file; done
exec "$1" --instance ${instance} web sync --policy "$2"
`;

function suite(host: Host): void {
  // Everybody can write to /tmp, so logs there are not followed.
  const scratch = temporaryDirectory('web-sent', '/run', 0o755);
  const at = (name: string) => `${scratch.path}/${name}`;
  let agent: RunningAgent;
  let stage: WebStage;
  let port = 0;

  before(async () => {
    agent = new RunningAgent(host);
    stage = new WebStage();
    port = await freePort();
    for (const name of ['passwd', 'group']) copyFileSync(`/etc/${name}`, at(name));
    appendFileSync(at('passwd'), `websent:x:${uid}:${uid}::${at('home')}:/bin/sh\n`);
    appendFileSync(at('group'), `websent:x:${uid}:\n`);
    for (const name of ['home', 'nginx', 'log']) mkdirSync(at(name));
    writeFileSync(at('home/page'), 'x'.repeat(70_000));
    chownSync(at('home'), uid, uid);
    writeFileSync(
      at('nginx/nginx.conf'),
      `user www-data;
daemon off;
pid ${at('nginx.pid')};
error_log ${at('error.log')};
events {}
http {
  log_format sent '$remote_addr "$request" $status $bytes_sent';
  server {
    listen 127.0.0.1:${port};
    server_name sent.example;
    root ${at('home')};
    access_log ${at('log/sent.log')} sent;
  }
}
`,
    );
    agent.writePolicy(`<agent interval="1s"/><tenant uid="${uid}"/>`);
    await agent.start();
  });
  after(async () => {
    await agent[Symbol.asyncDispose]();
    await stage.clear();
    stage.remove();
    scratch.remove();
  });

  const command = (...args: readonly string[]): string => {
    const options = { encoding: 'utf8', timeout: patienceMilliseconds } as const;
    const { status, stdout, stderr } = spawnSync(
      program,
      ['--instance', instance, ...args],
      options,
    );
    assert.equal(status, 0, stderr);
    return stdout;
  };

  const sent = (): SentByWeb | 'unknown' | undefined => {
    const { rows } = JSON.parse(command('usage', String(uid), '--json')) as {
      readonly rows: readonly { readonly sentByWeb?: SentByWeb | 'unknown' }[];
    };
    return rows[0]?.sentByWeb;
  };

  test('usage shows what a real nginx has sent for a tenant, to the byte', async () => {
    stage.start('/usr/sbin/nginx', '-c', at('nginx/nginx.conf'));
    await eventually('nginx answers', async () => (await bytesOf(port, '/page')) > 0);
    await eventually('it is logged', () => readFileSync(at('log/sent.log')).length > 0);
    await agent.until('the tenant is in the history', () => sent() === 'unknown');
    const words = ['-m', '--propagation', 'private', 'sh', '-ec', sync];
    const options = { encoding: 'utf8', timeout: patienceMilliseconds } as const;
    const synced = spawnSync(
      'unshare',
      [...words, scratch.path, program, agent.policyFile],
      options,
    );
    assert.equal(synced.status, 0, synced.stderr);
    // What was sent before the log is followed does not count.
    await agent.until('the log is followed', () => isKnown(sent()));
    let bytes = 0;
    for (const path of ['/page', '/page', '/none', '/page?x=" 200 99999'])
      bytes += await bytesOf(port, path);
    assert.ok(bytes > 140_000, `${bytes}`);
    await agent.until('every byte is counted', () => {
      const now = sent();
      return isKnown(now) && now.bytes === bytes;
    });
    assert.deepEqual((sent() as SentByWeb).gaps, []);
    assert.match(command('usage', String(uid)), /: 13\dKiB sent by web servers since /);
  });
}

const isKnown = (sent: SentByWeb | 'unknown' | undefined): sent is SentByWeb =>
  sent !== undefined && sent !== 'unknown';

/** Returns how many bytes come over the connection: headers as well. */
function bytesOf(port: number, path: string): Promise<number> {
  return new Promise((resolve) => {
    let bytes = 0;
    const request = `GET ${path} HTTP/1.0\r\nHost: sent.example\r\n\r\n`;
    const socket = connect(port, '127.0.0.1', () => socket.write(request));
    socket.on('data', ({ length }) => (bytes += length));
    socket.on('error', () => resolve(0));
    socket.on('end', () => resolve(bytes));
  });
}
