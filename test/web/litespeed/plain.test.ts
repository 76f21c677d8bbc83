/** Configurations of OpenLiteSpeed: virtual hosts, templates, includes, programs and their accounts. */
import assert from 'node:assert/strict';
import { chownSync } from 'node:fs';
import { beforeEach, describe, test } from 'node:test';
import type { ServerSite } from '../../../src/web/core/site.ts';
import { findWebPrograms } from '../../../src/web/io/find-programs.ts';
import { surveyWeb } from '../../../src/web/io/survey.ts';
import { testDirectory } from '../../../testing/temporary-directory.ts';
import { main, readAt, server, writeFiles, type Files } from './stage.ts';

const lsphp = '/usr/local/lsws/lsphp84/bin/lsphp';

/** A virtual host as CyberPanel writes it. */
const shop = {
  [main]: server(`
virtualHost shop.example {
  vhRoot              /home/shop.example
  configFile          $SERVER_ROOT/conf/vhosts/$VH_NAME/vhost.conf
  allowSymbolLink     1
  enableScript        1
  restrained          1
}

listener Default {
  address             *:80
  secure              0
  map                 shop.example shop.example, www.shop.example
}
listener TLS{
  address             *:443
  secure              1
  map                 shop.example shop.example
}
`),
  '/usr/local/lsws/conf/vhosts/shop.example/vhost.conf': `docRoot                   $VH_ROOT/public_html
vhDomain                  $VH_NAME
vhAliases                 alias.shop.example
enableGzip                1

index  {
  useServer               0
  indexFiles              index.php, index.html
}

errorlog $VH_ROOT/logs/$VH_NAME.error_log {
  useServer               0
}

scripthandler  {
  add                     lsapi:shopphp php
}

extprocessor shopphp {
  type                    lsapi
  address                 UDS://tmp/lshttpd/shopphp.sock
  maxConns                10
  env                     LSAPI_CHILDREN=10
  autoStart               1
  path                    ${lsphp}
  extUser                 alice
  extGroup                alice
}

rewrite  {
 enable                  1
  rules                   <<<END_rules
RewriteRule } { nothing
extprocessor no { }
  END_rules
}
`,
};

describe(
  'readLiteSpeed() reads OpenLiteSpeed',
  { skip: process.geteuid?.() !== 0 && 'needs root' },
  () => {
    let root = '';
    beforeEach((t) => {
      root = testDirectory(t, 'litespeed');
    });

    const sitesOf = async (files: Files): Promise<readonly ServerSite[]> => {
      const { sites, problems } = await readAt(root, files);
      assert.deepEqual(problems, []);
      return sites;
    };
    const programOf = async (files: Files) => {
      const [site] = await sitesOf(files);
      return site?.handlers;
    };

    test('a virtual host with a file of its own: names, addresses, document root, program', async () => {
      const [site, ...others] = await sitesOf(shop);
      assert.deepEqual(others, []);
      assert.deepEqual(site, {
        server: 'litespeed',
        names: ['shop.example', 'www.shop.example', 'alias.shop.example'],
        listen: ['*:80', '*:443'],
        root: '/home/shop.example/public_html',
        handlers: [{ kind: 'external', text: 'lsapi shopphp', user: 'alice' }],
        overrides: [],
        liteSpeed: {
          container: 'none',
          cgroups: false,
          programs: [
            {
              name: 'shopphp',
              file: `${root}/usr/local/lsws/conf/vhosts/shop.example/vhost.conf`,
              line: 19,
              requests: 10,
            },
          ],
        },
        file: `${root}${main}`,
        line: 28,
      });
    });

    test('surveyWeb() has its sites, with their owners', async () => {
      writeFiles(root, { '/usr/local/lsws/bin/lshttpd': '', ...shop });
      const { servers, sites } = await surveyWeb(findWebPrograms(root), {
        proc: '/proc',
        userOf: () => undefined,
        accounts: (names) => names.map((user) => ({ user, uid: 1001, gid: 1001, home: '/' })),
        isTenant: (uid) => uid === 1001,
        isInside: () => false,
        agentRuns: true,
      });
      assert.deepEqual(
        servers.map(({ name, problems }) => [name, problems]),
        [['litespeed', []]],
      );
      assert.deepEqual(
        sites.map(({ names, owner, placed }) => [names[0], owner?.name, placed.kind]),
        [['shop.example', 'alice', 'caught']],
      );
    });

    const own = (more: string, config: string): Files => ({
      [main]: server(
        `virtualHost shop {\n  vhRoot ${root}/home/shop\n${more}\n  configFile conf/shop.conf\n}\n`,
      ),
      '/usr/local/lsws/conf/shop.conf': config,
      '/home/shop/html/index.php': '',
    });

    test('the account of a program: extUser, the user of the virtual host, the owner of the document root', async () => {
      const php = `docRoot html\nextProcessor p {\n  type lsapi\n  path ${lsphp}\n}\nscriptHandler {\n  add lsapi:p php\n}\n`;
      const external = (user: string) => [{ kind: 'external', text: 'lsapi p', user }];
      assert.deepEqual(await programOf(own('', php)), external('nobody'));
      assert.deepEqual(await programOf(own('  user bob', php)), external('bob'));
      const files = own('  setUIDMode 2', php);
      // Root's documents stay with the server's account.
      assert.deepEqual(await programOf(files), external('nobody'));
      chownSync(`${root}/home/shop/html`, 1001, 1001);
      assert.deepEqual(await programOf(files), external('#1001'));
      chownSync(`${root}/home/shop/html`, 999, 999);
      assert.deepEqual(await programOf(files), external('nobody'));
    });

    test("the server's program for a virtual host without one, also if that has an account", async () => {
      assert.deepEqual(
        await programOf(own('  setUIDMode 2\n  user bob', 'docRoot $VH_ROOT/html/')),
        [{ kind: 'external', text: 'lsapi lsphp', user: 'nobody' }],
      );
      assert.deepEqual(await programOf(own('  enableScript 0', 'docRoot html')), []);
    });

    test('programs that LiteSpeed does not start, proxies, and CGI', async () => {
      const config = `docRoot html
extProcessor fpm {
  type fcgi
  address uds://run/php/shop.sock
  autoStart 0
  path /usr/sbin/php-fpm8.4
}
extProcessor node {
  type proxy
  address http://127.0.0.1:3000
}
scriptHandler {
  add fcgi:fpm php
}
context /app/ {
  type proxy
  handler node
}
context /cgi-bin/ {
  type cgi
  location $VH_ROOT/cgi-bin/
}
`;
      assert.deepEqual(await programOf(own('  user alice', config)), [
        {
          kind: 'fastcgi',
          text: 'uds://run/php/shop.sock',
          address: { kind: 'unix', path: '/run/php/shop.sock' },
        },
        {
          kind: 'proxy',
          text: 'http://127.0.0.1:3000',
          address: { kind: 'tcp', host: '127.0.0.1', port: 3000 },
        },
        { kind: 'external', text: 'CGI', user: 'alice' },
      ]);
    });

    test('members of a template', async () => {
      const files = {
        [main]: server(`listener Default {
  address *:80
}
vhTemplate PHP_SuEXEC {
  templateFile $SERVER_ROOT/conf/templates/php.conf
  listeners Default
  member one {
    vhDomain one.example
    vhAliases www.one.example
  }
  member two {
    vhDomain two.example
  }
}
`),
        '/usr/local/lsws/conf/templates/php.conf': `vhRoot $SERVER_ROOT/$VH_NAME/
configFile $SERVER_ROOT/conf/vhosts/$VH_NAME/vhconf.conf
virtualHostConfig {
  docRoot $VH_ROOT/public_html/
  extProcessor $VH_NAME_lsphp {
    type lsapi
    path $SERVER_ROOT/fcgi-bin/lsphp
    extUser alice
    maxConns 5
  }
  scriptHandler {
    add lsapi:$VH_NAME_lsphp php
  }
}
`,
      };
      const sites = await sitesOf(files);
      assert.deepEqual(
        sites.map(({ names, listen, root: at, handlers }) => [names, listen, at, handlers]),
        ['one', 'two'].map((name) => [
          name === 'one' ? ['one.example', 'www.one.example'] : ['two.example'],
          ['*:80'],
          `${root}/usr/local/lsws/${name}/public_html`,
          [{ kind: 'external', text: `lsapi ${name}_lsphp`, user: 'alice' }],
        ]),
      );
    });

    test('includes: a file, a directory, and those that match', async () => {
      const host = (name: string) =>
        `virtualHost ${name} {\n  vhRoot /home/${name}\n  docRoot html\n  vhDomain ${name}.example\n}\n`;
      const sites = await sitesOf({
        [main]: server('include one.conf\ninclude $SERVER_ROOT/conf/more\ninclude extra/*.conf\n'),
        '/usr/local/lsws/conf/one.conf': host('one'),
        '/usr/local/lsws/conf/more/b.conf': host('b'),
        '/usr/local/lsws/conf/more/a.conf': host('a'),
        '/usr/local/lsws/conf/more/ignored.txt': host('ignored'),
        '/usr/local/lsws/conf/extra/x.conf': host('x'),
        '/usr/local/lsws/conf/extra/x.conf~': host('old'),
      });
      assert.deepEqual(
        sites.map(({ names }) => names[0]),
        ['one.example', 'a.example', 'b.example', 'x.example'],
      );
    });

    test('containers and cgroups of the server and of a virtual host', async () => {
      const details = async (ofServer: string, ofHost: string) => {
        const files = own('', `docRoot html\n${ofHost}`);
        const [site] = await sitesOf({ ...files, [main]: `${ofServer}\n${files[main]}` });
        return site?.liteSpeed;
      };
      assert.equal((await details('', 'bubbleWrap 2'))?.container, 'none');
      assert.equal((await details('bubbleWrap 0', 'bubbleWrap 2'))?.container, 'none');
      assert.equal((await details('bubbleWrap 1', ''))?.container, 'none');
      assert.equal((await details('bubbleWrap 1', 'bubbleWrap 2'))?.container, 'bubblewrap');
      assert.equal((await details('bubbleWrap 2', ''))?.container, 'bubblewrap');
      assert.equal((await details('bubbleWrap 2', 'bubbleWrap 1'))?.container, 'none');
      assert.equal((await details('namespace 2', ''))?.container, 'namespace');
      assert.equal((await details('', ''))?.cgroups, false);
      assert.equal((await details('CGIRLimit {\n  cgroups 0\n}', ''))?.cgroups, false);
      assert.equal((await details('cgroups 1', ''))?.cgroups, true);
    });

    test('lines that go on, names in any case, braces at the end of a line', async () => {
      const [site] = await sitesOf({
        [main]:
          'VirtualHost shop{\n VHROOT \\\n/home/shop\n docroot html\n}\nListener a{\n address \\\n *:80\n map shop \\\n a.example, \\\n b.example\n}\n',
      });
      assert.deepEqual(
        [site?.names, site?.listen, site?.root],
        [['a.example', 'b.example'], ['*:80'], '/home/shop/html'],
      );
    });

    test('leaves out a virtual host that is not enabled', async () => {
      assert.deepEqual(await sitesOf(own('  enabled 0', 'docRoot html')), []);
    });
  },
);
