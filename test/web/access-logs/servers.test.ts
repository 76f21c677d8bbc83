/** The bytes that real web servers send, counted by their access logs, beside what their clients received. */
import '../../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { existsSync, readFileSync, renameSync } from 'node:fs';
import { connect } from 'node:net';
import { after, describe, test } from 'node:test';
import { countedLogs } from '../../../src/web/core/access-logs/counted-logs.ts';
import type { ServerSite } from '../../../src/web/core/site.ts';
import { WebCounts } from '../../../src/web/io/access-logs/web-counts.ts';
import { readApache, readNginx } from '../../../src/web/io/servers.ts';
import { freePort } from '../../../testing/free-port.ts';
import { eventually } from '../../../testing/patience.ts';
import { temporaryDirectory } from '../../../testing/temporary-directory.ts';
import { WebStage } from '../stage.ts';

const apache = '/usr/sbin/apache2';
const skipWithout = (program: string) => {
  if (process.geteuid?.() !== 0) return 'it needs root';
  return existsSync(program) ? false : `there is no ${program}`;
};
const tenants: Readonly<Record<string, number>> = { 'a.example': 64_431, 'b.example': 64_432 };

const bytesOf = (port: number, request: string): Promise<number> =>
  new Promise((resolve) => {
    let bytes = 0;
    const socket = connect(port, '127.0.0.1', () => socket.end(request, 'latin1'));
    socket.on('data', ({ length }) => (bytes += length));
    socket.on('error', () => resolve(0));
    socket.on('end', () => resolve(bytes));
  });

const requestOf = (host: string, path: string, more = '') =>
  `GET ${path} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n${more}\r\n`;

/** Requests of a visitor that wants to write numbers into a log. */
const hostile = [
  requestOf('a.example', '/"%20200%2099999%20"', 'Referer: " 200 88888 "\\" 77777\r\n'),
  requestOf('a.example', '/x', `Authorization: Basic ${btoa('x" 200 66666 "-:y')}\r\n`),
  requestOf('a.example', '/\\', 'User-Agent: \\" 200 5 "\u0001\u00ff\r\n'),
  'GET /\r\n',
  `GET / HTTP/1.1\r\nHost: a.example" 200 44444\r\n\r\n`,
];

class Place {
  readonly stage = new WebStage();
  // Everybody can write to /tmp.
  readonly #logs = temporaryDirectory('access-logs', '/run', 0o755);
  readonly counts = new WebCounts({ groups: new Set(), peopleFrom: 1000 });
  readonly log = (name: string) => `${this.#logs.path}/${name}.log`;

  follow(sites: readonly ServerSite[]): void {
    const owned = sites.map((site) => {
      const uid = tenants[site.names[0] ?? ''];
      return {
        ...site,
        owner: uid === undefined ? undefined : { uid },
      };
    });
    const logs = countedLogs(owned);
    assert.deepEqual(
      [...logs.values()].map(({ gaps }) => gaps),
      [[], []],
    );
    this.counts.follow(logs);
  }

  /** Waits until a request is answered and in its log. */
  async started(port: number): Promise<void> {
    const ask = () => bytesOf(port, requestOf('b.example', '/'));
    await eventually('it answers', async () => (await ask()) > 0);
    await eventually('it is logged', () => readFileSync(this.log('b.example')).length > 0);
  }

  async sent(host: string): Promise<number | undefined> {
    await this.counts.read();
    const sent = this.counts.sent(tenants[host] ?? 0, 0);
    assert.deepEqual(sent?.gaps ?? [], []);
    return sent?.bytes;
  }

  /** Sends requests, hostile ones as well, and compares; the first vhost gets those without a name. */
  async compare(port: number, base: { a: number; b: number }): Promise<{ a: number; b: number }> {
    let { a, b } = base;
    for (const request of [...hostile, requestOf('a.example', '/file')])
      a += await bytesOf(port, request);
    for (let time = 0; time < 20; time++) b += await bytesOf(port, requestOf('b.example', '/file'));
    await eventually(
      'every byte is counted',
      async () => (await this.sent('a.example')) === a && (await this.sent('b.example')) === b,
      async () => `${a} ${await this.sent('a.example')} ${b} ${await this.sent('b.example')}`,
    );
    return { a, b };
  }

  async clear(): Promise<void> {
    this.counts[Symbol.dispose]();
    await this.stage.clear();
    this.stage.remove();
    this.#logs.remove();
  }
}

describe('what nginx sends', { skip: skipWithout('/usr/sbin/nginx') }, () => {
  const place = new Place();
  after(() => place.clear());

  test('is what is counted, also across a rotation', async () => {
    const { stage } = place;
    const port = await freePort();
    stage.write('www/file', 'x'.repeat(100_000));
    stage.writeNginx(
      `log_format own '$remote_user "$request" "$http_referer" "$http_user_agent" $status $bytes_sent';`,
    );
    for (const name of Object.keys(tenants))
      stage.write(
        `sites/${name}.conf`,
        `server { listen 127.0.0.1:${port}; server_name ${name}; root ${stage.at('www')};
          access_log ${place.log(name)} own; location /x { access_log ${place.log(name)} own; } }`,
      );
    const nginx = stage.programs().nginx;
    assert.ok(nginx);
    const read = await readNginx(nginx);
    assert.deepEqual(read.problems, []);
    stage.start(nginx.program, ...nginx.args);
    await place.started(port);
    place.follow(read.sites);
    await place.sent('a.example');
    const sum = await place.compare(port, { a: 0, b: 0 });
    for (const name of Object.keys(tenants)) renameSync(place.log(name), `${place.log(name)}.1`);
    await place.sent('a.example');
    sum.b += await bytesOf(port, requestOf('b.example', '/file'));
    await eventually(
      'it is in the renamed file',
      async () => (await place.sent('b.example')) === sum.b,
    );
    process.kill(Number(readFileSync(stage.at('nginx.pid'), 'utf8')), 'SIGUSR1');
    await place.compare(port, sum);
  });
});

describe('what Apache sends', { skip: skipWithout(apache) }, () => {
  const place = new Place();
  after(() => place.clear());

  test('is what is counted', async () => {
    const { stage } = place;
    const port = await freePort();
    stage.write('www/file', 'x'.repeat(100_000));
    stage.write('mime.types', '');
    const modules = ['mpm_event', 'authz_core', 'mime'].map(
      (name) => `LoadModule ${name}_module /usr/lib/apache2/modules/mod_${name}.so`,
    );
    // The first log of each site is like the second one of cPanel's.
    const vhosts = Object.keys(tenants).map(
      (name) => `<VirtualHost 127.0.0.1:${port}>
ServerName ${name}
DocumentRoot ${stage.at('www')}
CustomLog ${place.log(`${name}-bytes_log`)} "%{%s}t %I .\\n%{%s}t %O ."
CustomLog ${place.log(name)} own
</VirtualHost>`,
    );
    const configuration = stage.write(
      'apache.conf',
      `${modules.join('\n')}
User www-data
Group www-data
ServerRoot ${stage.directory}
DefaultRuntimeDir ${stage.directory}
PidFile ${stage.at('apache.pid')}
ErrorLog ${stage.at('apache.log')}
TypesConfig ${stage.at('mime.types')}
Listen 127.0.0.1:${port}
ServerName localhost
LogFormat "%h %l %u %t \\"%r\\" %>s %O \\"%{Referer}i\\" \\"%{User-Agent}i\\"" own
${vhosts.join('\n')}
`,
    );
    const args = ['-f', configuration];
    const read = await readApache({
      program: apache,
      args,
      directory: stage.directory,
      modInfo: '/usr/lib/apache2/modules/mod_info.so',
      environment: {},
      ownFile: stage.at('none'),
      pidFile: stage.at('apache.pid'),
    });
    assert.deepEqual(read.problems, []);
    stage.start(apache, ...args, '-D', 'FOREGROUND');
    await place.started(port);
    place.follow(read.sites);
    await place.sent('a.example');
    await place.compare(port, { a: 0, b: 0 });
    assert.match(readFileSync(place.log('a.example-bytes_log'), 'utf8'), /^(?:\d{10} \d+ \.\n){2}/);
  });
});
