/**
 * The output of the real nginx, Apache and PHP-FPM for configurations that are made for it; the host's are only
 * read.
 */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chownSync, symlinkSync } from 'node:fs';
import { after, afterEach, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { runBounded } from '../../src/sys/processes/run-bounded.ts';
import { surveyWeb, type TenantFacts } from '../../src/web/io/survey.ts';
import { freePort } from '../../testing/free-port.ts';
import { patienceMilliseconds } from '../../testing/patience.ts';
import { ensurePrerequisites } from '../../testing/prerequisites.ts';
import { siteNamed, uids, WebStage } from './stage.ts';
import { jsonOf } from '../../testing/json-output.ts';
import type { WebStatusJson } from '../../src/web/commands/json.ts';

const ready = await ensurePrerequisites('web', (line) => console.log(`# ${line}`));
/** An instance to which nothing is ever applied. */
const instance = 'bulkhead-web-status';
const entry = fileURLToPath(new URL('../../bulkhead', import.meta.url));

if (!ready.ok) test('surveyWeb() and web status', { skip: ready.reason }, () => {});
else suite();

function suite(): void {
  let stage: WebStage;
  before(() => {
    stage = new WebStage();
  });
  afterEach(() => stage.clear());
  after(() => stage.remove());

  const at = (path: string) => stage.at(path);
  const isTenant = (uid: number) => Object.values(uids).includes(uid);
  const tenancy = (): TenantFacts => ({
    proc: '/proc',
    userOf: () => undefined,
    accounts: () => [],
    isTenant,
    isInside: () => false,
    agentRuns: true,
  });

  test('surveyWeb() reads a hostile vhost as nginx itself does', async () => {
    const port = await freePort();
    stage.writeNginx('limit_conn_zone $binary_remote_addr zone=a:1m;');
    stage.write(
      'sites/odd.conf',
      `# configuration file ${at('nginx.conf')}:
server {
  listen 127.0.0.1:${port};
  server_name "a;b{}.example" 'quo"te.example' back\\\\slash.example ~^x{2,3}$;
  root "${stage.directory}/with blank";
  location ~ "^/a{2,3}(.*)\\.php$" { limit_conn a 3; fastcgi_pass 127.0.0.1:9; }
  if ($http_x = "}") { return 403 "{#;"; }
}
server { listen 127.0.0.1:${port}; server_name next.example; }`.replace(
        ' ~^x{2,3}$',
        ' "~^x{2,3}$"',
      ),
    );
    const { sites, servers } = await surveyWeb({ ...stage.programs(), fpm: [] }, tenancy());
    assert.deepEqual(servers[0]?.problems, []);
    assert.deepEqual(
      sites.map(({ names }) => names),
      [['a;b{}.example', 'quo"te.example', 'back\\slash.example', '~^x{2,3}$'], ['next.example']],
    );
    assert.equal(sites[0]?.file, at('sites/odd.conf'));
    assert.equal(sites[0]?.line, 2);
    assert.equal(sites[0]?.root, `${stage.directory}/with blank`);
    assert.deepEqual(
      sites[0]?.overrides.map(({ directive, line }) => [directive, line]),
      [['limit_conn', 6]],
    );
  });

  test("surveyWeb() reads Apache's configuration, and reports the errors of each server", async () => {
    const port = await freePort();
    const modules = '/usr/lib/apache2/modules';
    const names = ['mpm_event', 'authz_core', 'proxy', 'proxy_fcgi', 'mime', 'alias', 'cgid'];
    const root = stage.documents('apache', uids.owner);
    const apacheConf = [
      ...names.map((each) => `LoadModule ${each}_module ${modules}/mod_${each}.so`),
      'User ${RUN_USER}',
      `ServerRoot ${stage.directory}`,
      `DefaultRuntimeDir ${stage.directory}`,
      `PidFile ${at('apache.pid')}`,
      `ErrorLog ${at('apache.log')}`,
      `Define SITES ${at('vhosts')}`,
      `Listen 127.0.0.1:${port}`,
      'ServerName localhost',
      'IncludeOptional ${SITES}/*.conf',
    ];
    stage.write('apache2.conf', `${apacheConf.join('\n')}\n`);
    stage.write(
      'vhosts/a.conf',
      `<VirtualHost 127.0.0.1:${port}>
  ServerName "a.example"
  ServerAlias www.a.example \\
    *.a.example
  DocumentRoot ${root}
  <IfModule mod_proxy_fcgi.c>
    <FilesMatch "\\.ph{1}p$">
      SetHandler "proxy:unix:${at('owner.sock')}|fcgi://localhost"
    </FilesMatch>
  </IfModule>
</VirtualHost>
`,
    );
    stage.write('nginx.conf', 'events {}\nhttp {\n  nonsense 1;\n}\n');
    stage.writeFpm();
    stage.write('pools/a.conf', stage.pool('owner', uids.owner));
    const apache = {
      program: '/usr/sbin/apache2',
      args: ['-f', at('apache2.conf')],
      directory: stage.directory,
      modInfo: `${modules}/mod_info.so`,
      environment: { RUN_USER: 'www-data' },
      ownFile: at('bulkhead.conf'),
      pidFile: at('apache.pid'),
    };
    const survey = () => surveyWeb({ ...stage.programs(), apache }, tenancy());
    const { sites, servers, pools } = await survey();
    assert.deepEqual(
      servers.map(({ name, problems }) => [name, problems]),
      [
        ['nginx', [{ message: 'unknown directive "nonsense"', file: at('nginx.conf'), line: 3 }]],
        ['apache2', []],
        [`php-fpm${stage.php.php}`, []],
      ],
    );
    const view = siteNamed(sites, '*.a.example');
    assert.deepEqual([view.file, view.line], [at('vhosts/a.conf'), 1]);
    assert.deepEqual([view.owner?.by, view.owner?.uid], ['pool', uids.owner]);
    assert.deepEqual(view.handledBy, [`FPM ${stage.php.php} owner`]);
    assert.deepEqual(pools[0]?.places, [{ file: at('pools/a.conf'), line: 1 }]);

    stage.write('vhosts/b.conf', '# nothing\nNonsense 1\n');
    stage.write('pools/b.conf', '[two]\nnonsense = 1\n');
    const broken = (await survey()).servers.map(({ problems }) => problems[0]);
    assert.deepEqual(
      broken.map((each) => [each?.file, each?.line]),
      [
        [at('nginx.conf'), 3],
        [at('vhosts/b.conf'), 2],
        [at('pools/b.conf'), 2],
      ],
    );
  });

  test('surveyWeb() reports includes that loop, and does not hang', async () => {
    stage.write('nginx.conf', `events {}\nhttp { include ${at('loop.conf')}; }\n`);
    stage.write('loop.conf', `include ${at('loop.conf')};\n`);
    stage.writeFpm(`include = ${at('fpm.conf')}\n`);
    const { servers } = await surveyWeb(stage.programs(), tenancy());
    assert.deepEqual(
      servers.map(({ problems }) => problems.length),
      [1, 1],
    );
  });

  test('surveyWeb() reports a pool with the name of another, and a pool file that a tenant owns', async () => {
    stage.writeNginx();
    stage.writeFpm();
    stage.write('pools/a.conf', stage.pool('owner', uids.owner));
    const second = stage.write('pools/b.conf', `[owner]\nuser = ${uids.other}\n`);
    chownSync(second, uids.other, uids.other);
    const { pools, poolFindings } = await surveyWeb(stage.programs(), tenancy());
    // php-fpm takes the later value: this is why it matters.
    assert.deepEqual(
      pools.map(({ name, user }) => [name, user]),
      [['owner', String(uids.other)]],
    );
    const text = poolFindings.map(({ message }) => message).join('\n');
    assert.match(text, new RegExp(`${second} can be changed by uid ${uids.other}`));
    assert.match(text, /begun at .*a\.conf:1 and changed at .*b\.conf:1/);
  });

  test('surveyWeb() reports two owners when a root leads through a link to another tenant', async () => {
    const theirs = stage.documents('theirs', uids.other);
    const home = stage.documents('home', uids.owner);
    symlinkSync(theirs, `${home}/www`);
    stage.writeNginx();
    const server = `server { listen 127.0.0.1:${await freePort()}; root ${home}/www; server_name a; }`;
    stage.write('sites/a.conf', server);
    const { sites } = await surveyWeb({ ...stage.programs(), fpm: [] }, tenancy());
    const { owners, findings } = siteNamed(sites, 'a');
    assert.deepEqual(
      owners.map(({ uid }) => uid),
      [uids.other, uids.owner],
    );
    assert.match(findings[0] ?? '', /More than one tenant/);
  });

  test('runBounded() kills a program that prints without end or hangs, and reports a missing one', async () => {
    const endless = await runBounded('/usr/bin/yes', [], { bytesMax: 100_000 });
    assert.deepEqual(endless, {
      ok: false,
      error: { reason: 'it printed more than 100000 bytes' },
    });
    const hung = await runBounded('/usr/bin/sleep', ['3600'], { timeoutMs: 50 });
    assert.deepEqual(hung, { ok: false, error: { reason: 'it did not finish within 0.05 s' } });
    const missing = await runBounded('/nonexistent', []);
    assert.deepEqual(missing, {
      ok: false,
      error: { reason: 'it does not exist', errno: 'ENOENT' },
    });
    process.env['BULKHEAD_WEB_SECRET'] = 'x';
    const environment = await runBounded('/usr/bin/env', []);
    assert.ok(environment.ok);
    assert.doesNotMatch(Buffer.from(environment.value.stdout).toString(), /SECRET/);
  });

  test("web status prints the host's configuration as a table and as JSON", () => {
    const policy = stage.write('policy.xml', '<bulkhead version="1"></bulkhead>');
    const run = (...args: string[]) =>
      spawnSync(entry, ['--instance', instance, 'web', 'status', ...args], {
        encoding: 'utf8',
        timeout: patienceMilliseconds,
      });
    const json = run('--policy', policy, '--json');
    const value = jsonOf<WebStatusJson>('web status', json.stdout);
    assert.deepEqual(
      value.servers.map(({ name }) => name).filter((name) => name === 'nginx'),
      ['nginx'],
    );
    const failed = value.servers.some(({ problems }) => problems.length > 0);
    assert.equal(json.status, failed ? 1 : 0);
    assert.equal(run('--policy', policy).status, json.status);
    assert.equal(run('--policy', at('none.xml')).status, 1);
    assert.equal(run('--nonsense').status, 2);
  });
}
