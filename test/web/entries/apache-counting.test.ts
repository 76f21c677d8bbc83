/** A real Apache with mod_qos enforces tenants' entries, and their .htaccess does not change that. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { connect as connectHttp2 } from 'node:http2';
import { test } from 'node:test';
import { eventually } from '../../../testing/patience.ts';
import { apacheOwners } from '../../../src/web/core/entries/apache-enforcement.ts';
import {
  EntryRefusalTally,
  type MemberRefusals,
} from '../../../src/web/core/entries/refusal-tally.ts';
import { RefusalReceiver } from '../../../src/web/io/entries/receiver.ts';
import { limitsOf, stagedSuite, times, type EntriesStage } from '../entries-stage.ts';
import { uids } from '../stage.ts';
import { apacheSites, module, three } from './apache-stage.ts';

await stagedSuite('entries at Apache', suite);

function suite(stage: EntriesStage): void {
  const { at, survey, plan, carriedOut, prepare, started, enabled, burst, served } =
    apacheSites(stage);

  test("web entries at Apache serves three of eight requests, and the neighbour's requests", async () => {
    await prepare();
    await started();
    await enabled(new Map([...three, [uids.other, 2]]));
    const answers = await served(3, times(8, { host: 'a.example', path: '/' }));
    const refused = answers.find(({ status }) => status === 508);
    assert.match(refused?.text ?? '', /limit is for this site only/);
    assert.equal(refused?.headers['content-type'], 'text/html; charset=utf-8');
    assert.equal(refused?.headers['retry-after'], '10');
    assert.equal(refused?.headers['x-limit'], 'entries 3/3');
    assert.equal(answers.find(({ status }) => status === 200)?.headers['x-limit'], undefined);
    const both = [...times(4, { host: 'a.example' }), ...times(3, { host: 'n.example' })];
    await served(5, both);
  });

  test("web entries at Apache lets no .htaccess run the tenant's script for a refused request", async () => {
    await prepare();
    await started();
    await enabled();
    const rewrite = 'RewriteEngine On\nRewriteRule !^index index.php';
    for (const text of [
      'ErrorDocument 508 /index.php',
      '<If "true">\nErrorDocument 508 /index.php\n</If>',
      '<Files "*">\nErrorDocument 508 /index.php\n</Files>',
      'SetEnvIf Request_URI ^ QS_ErrorPage=/index.php',
      '<If "true">\nSetEnvIf Request_URI ^ QS_ErrorPage=/index.php\n</If>',
      'SetEnv QS_ErrorPage /index.php',
      'SetEnvIf Request_URI ^ QS_VipRequest=yes\nSetEnv QS_VipRequest yes',
      `${rewrite} [L,E=QS_ErrorPage:/index.php,E=QS_VipRequest:yes]`,
      'SetEnvIf Request_URI ^ !REDIRECT_STATUS\nErrorDocument 508 /index.php',
    ]) {
      writeFileSync(at('a/.htaccess'), `${text}\n`);
      const path = text.startsWith('Rewrite') ? '/shop/item' : '/index.php';
      await served(3, times(8, { host: 'a.example', path }), text);
    }
    for (const text of ['QS_LocRequestLimitMatch "^.*$" 50', '<Location "/">\n</Location>']) {
      writeFileSync(at('a/.htaccess'), `${text}\n`);
      assert.equal((await stage.ask1({ host: 'a.example' })).status, 500, text);
    }
  });

  test('web entries at Apache counts every request that runs something', async () => {
    const socket = `unix:${at('owner.sock')}|fcgi://localhost`;
    const target = `${socket}${at('a')}`;
    await prepare({
      server: ['actions', 'include', 'alias'].map((each) => module(each)).join('\n'),
      more: `
  ErrorDocument 404 /index.php
  ProxyPassMatch "^/match(.*)$" "${target}/index.php"
  ProxyPass /passed "${target}/index.php"
  RewriteEngine On
  RewriteRule ^/proxied "fcgi://localhost${at('a')}/index.php" [p,L]
  RewriteRule ^/handled /file.css [H=started]
  RewriteRule ^/rewritten /index.php [L]
  Alias /alias ${at('a')}/index.php
  AddHandler started .cgi5
  Action started /index.php virtual
  <Location /located>
    SetHandler "proxy:${socket}"
  </Location>
  <Directory ${at('a')}>
    Options +Includes
    AddOutputFilter INCLUDES .shtml
    FallbackResource disabled
  </Directory>
`,
    });
    await started();
    const script = readFileSync(at('a/index.php'), 'utf8');
    for (const name of ['x.cgi5', 'located', 'dir/index.php', 'htaccess/any.css']) {
      stage.write(`a/${name}`, script);
    }
    stage.write('a/htaccess/.htaccess', `SetHandler "proxy:${socket}"\n`);
    stage.write('a/page.shtml', '<!--#include virtual="/index.php" -->');
    const paths =
      `/ /index.php /index.php/tail /index.php%0a /index.php/%0a/x /none /none%0a /match /match%0a
  /passed /passed%0a%0a /handled /rewritten /rewritten%0a /alias /x.cgi5 /located /located%0a
  /dir/ /htaccess/any.css /page.shtml //index.php /./index.php /%69ndex.php /dir/../index.php /file.css/../index.php`.split(
        /\s+/,
      );
    const ran: string[] = [];
    for (const path of paths)
      if ((await stage.ask1({ host: 'a.example', path })).text.includes('served')) ran.push(path);
    assert.deepEqual(
      paths.filter((each) => !ran.includes(each)),
      [],
    );
    await enabled();
    stage.shut();
    const all = times(3, { host: 'a.example' }).map((each) => stage.ask1(each));
    await eventually('three run', () => stage.running() === 3);
    for (const path of ran) {
      const ask = stage.ask1({ host: 'a.example', path }).then(({ status }) => status);
      const began = eventually('it runs', () => stage.running() > 3);
      assert.equal(await Promise.race([ask, began]), 508, path);
    }
    stage.letGo();
    await Promise.all(all);
  });

  test('web entries at Apache counts each stream of an HTTP/2 connection', async () => {
    await prepare({
      server: `${module('http2')}\nProtocols h2c http/1.1\nH2MinWorkers 20\nH2MaxWorkers 40`,
    });
    await started();
    await enabled();
    await eventually('three of twelve streams are served', async () => {
      stage.shut();
      const session = connectHttp2(`http://127.0.0.1:${stage.port}`);
      const got: number[] = [];
      for (let index = 0; index < 12; index++) {
        const stream = session.request({
          ':path': `/index.php?${index}`,
          ':authority': 'a.example',
        });
        stream.on('response', (headers) => got.push(Number(headers[':status'])));
        stream.on('error', () => {});
        stream.resume();
      }
      await eventually('each runs or is refused', () => got.length + stage.running() >= 12);
      const running = stage.running();
      stage.letGo();
      await eventually('all are answered', () => got.length === 12);
      session.close();
      assert.ok(running <= 3, `${running} run`);
      return running === 3;
    });
  });

  test('web entries at Apache reports refusals with the tenant, and no forged ones', async () => {
    await prepare();
    await started();
    await enabled(new Map([...three, [uids.other, 3]]));
    const tally = new EntryRefusalTally();
    const { sites } = await survey();
    const enforced = sites.map((site) => ({ site, bounds: [], state: 'enforced' as const }));
    const owners = apacheOwners(enforced, limitsOf(new Map([...three, [uids.other, 3]])));
    assert.deepEqual(owners, { 'a.example': `u${uids.owner}`, 'n.example': `u${uids.other}` });
    const told = { sender: 0, apacheOwners: owners };
    const opened = RefusalReceiver.open(at('web.sock'), told, (all) => tally.addAll(all));
    assert.ok(opened.ok);
    await using receiver = opened.value;
    void receiver;
    writeFileSync(at('a/.htaccess'), 'SetEnv mod_qos_ev x\nSetEnvIf Request_URI ^ mod_qos_ev=-\n');
    const forged = '/index.php?{"owner":"64421"}&x=%0a<13>"n.example';
    await stage.atOnce(times(8, { host: 'a.example', path: encodeURI(forged) }));
    // A request line so long that it might be cut must not begin a line of its own.
    const long =
      `/index.php?${'x'.repeat(1_000)}bulkhead-apache n.example 1.2.3.4 D; GET /`.replaceAll(
        ' ',
        '+',
      );
    await stage.atOnce(times(5, { host: 'a.example', path: long }));
    const all: MemberRefusals[] = [];
    await eventually('seven are reported', () => {
      all.push(...tally.take());
      return all.reduce((sum, { count }) => sum + count, 0) >= 7;
    });
    assert.deepEqual([...new Set(all.map(({ member }) => member))], [`u${uids.owner}`]);
    const [request] = all[0]?.requests ?? [];
    assert.deepEqual(
      [request?.site, request?.client, request?.method],
      ['a.example', '127.0.0.1', 'GET'],
    );
    assert.match(readFileSync(at('a.log'), 'utf8'), /^508 /m);
  });

  test('web entries at Apache applies the lowest limit of site, tenant and reseller', async () => {
    const policy = (site: string) => `<reseller uid="64429"><entries limit="2"/>
      <tenant uid="${uids.owner}"><entries limit="4"/>${site}</tenant></reseller>`;
    const site = '<site name="a.example"><entries limit="1"/></site>';
    const file = (name: string) => at(`bulkhead/${name}.conf`);
    const ofSite = file(`u${uids.owner}-a.example`);
    await prepare();
    await started();
    const once = await carriedOut(await plan(policy(site)));
    assert.deepEqual(once, { ok: true, value: 'reloaded' });
    const partly = await plan(policy(site));
    assert.ok(partly.ok);
    assert.deepEqual(
      partly.value.sites.map(({ state }) => state),
      ['partly enforced', 'nothing to count'],
    );
    assert.match(
      partly.value.notes[0]?.message ?? '',
      new RegExp(`Change the line "IncludeOptional ${file(`u${uids.owner}`)}" .* to ".*${ofSite}"`),
    );
    await eventually('the reseller holds it', async () => (await burst(4))[508] === 2);
    const refused = async (count: number) => {
      const answers = await served(4 - count, times(4, { host: 'a.example', path: '/' }));
      return answers.find(({ status }) => status === 508)?.headers['x-limit'];
    };
    assert.equal(await refused(2), 'entries 2/2; reseller');

    const text = readFileSync(at('vhosts/a.conf'), 'utf8');
    writeFileSync(at('vhosts/a.conf'), text.replace(file(`u${uids.owner}`), ofSite));
    process.kill(Number(readFileSync(at('apache.pid'), 'utf8')), 'SIGUSR1');
    await eventually('the site holds it', async () => (await burst(4))[508] === 3);
    assert.equal(await refused(3), 'entries 1/1; site');
    const now = await plan(policy(site));
    assert.ok(now.ok);
    assert.equal(now.value.sites[0]?.state, 'enforced');
    const owners = apacheOwners(now.value.sites, limitsOf(policy(site)));
    assert.equal(owners['a.example'], `u${uids.owner}/a.example`);

    // A site without a number of its own, or that is none any more, keeps the file that its vhost includes.
    for (const gone of ['<site name="a.example"/>', '']) {
      const planned = await plan(policy(gone));
      assert.ok(planned.ok);
      assert.equal(planned.value.sites[0]?.state, 'enforced', gone);
      const change = planned.value.changes.find(({ path }) => path === ofSite);
      assert.match(change?.after ?? '', /QS_LocRequestLimitMatch "\^\.\*\$" 2\n/);
    }
  });
}
