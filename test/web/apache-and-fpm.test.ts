/** Apache's flattened configuration, php-fpm's, and what they print of errors. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseAddress, formatAddress, sameAddress } from '../../src/web/core/address.ts';
import { apacheWords, parseApacheDump } from '../../src/web/core/apache/dump.ts';
import { parseEnvvars, withRunDirectory } from '../../src/web/core/apache/environment.ts';
import { apacheSites } from '../../src/web/core/apache/sites.ts';
import { parseFpmDump } from '../../src/web/core/fpm/dump.ts';
import { parseFpmFile } from '../../src/web/core/fpm/file.ts';
import { isInCgroup } from '../../src/web/core/in-cgroup.ts';
import { parseTcpSockets, parseUnixSockets } from '../../src/web/core/listening.ts';
import { parseServerError } from '../../src/web/core/server-error.ts';
import { mustEnd } from '../../testing/patience.ts';

/** The dump as Apache 2.4.71 prints it. */
const dump = String.raw`# In file: /etc/apache2/apache2.conf
#  17:
Listen 127.0.0.1:8099
#  20:
<FilesMatch ".+\.ph(?:ar|p|tml)$">
  #  21:
  SetHandler "proxy:unix:/run/php/php8.4-fpm.sock|fcgi://localhost"
</FilesMatch>
#  22:
<Proxy balancer://app>
  #  23:
  BalancerMember http://127.0.0.1:3001
  #  24:
  BalancerMember unix:/run/app.sock|http://localhost
</Proxy>
# In file: /etc/apache2/sites-enabled/x.conf
#   2:
<VirtualHost 127.0.0.1:8099 [::1]:8099>
  #   3:
  ServerName "shop.example"
  #   5:
  ServerAlias www.shop.example      *.shop.example
  #   6:
  DocumentRoot "/home/alice/a \"b\""
  #   7:
  SuexecUserGroup alice alice
  #   8:
  ScriptAlias /cgi-bin/ "/home/alice/cgi/"
  #   9:
  <Directory /home/alice>
    #  11:
    <FilesMatch \.php$>
      #  12:
      SetHandler "proxy:unix:/run/php/shop.sock|fcgi://localhost/"
    </FilesMatch>
    #  14:
    <If "%{HTTP_HOST} == 'x>y'">
      #  15:
      Require all granted
    </If>
  </Directory>
  #  18:
  ProxyPass "/api" "http://127.0.0.1:3000/" retry=0
  #  19:
  ProxyPass "/no" !
  #  20:
  RewriteRule ^/x{2,3}$ "/y # In file: /etc/evil" [L]
  #  21:
  RewriteRule ^/app http://127.0.0.1:4000/ [L,P]
</VirtualHost>
#  22:
<VirtualHost *:80>
  #  23:
  ServerName plain.example
  #  24:
  ProxyPass / balancer://app/
</VirtualHost>
`;

test('apacheSites() returns the names, handlers, user, file and line of each vhost', () => {
  const { directives, problems } = parseApacheDump(dump);
  assert.deepEqual(problems, []);
  const [shop, plain] = apacheSites(directives);
  assert.deepEqual(shop, {
    server: 'apache',
    names: ['shop.example', 'www.shop.example', '*.shop.example'],
    listen: ['127.0.0.1:8099', '[::1]:8099'],
    root: '/home/alice/a "b"',
    handlers: [
      { kind: 'cgi', text: 'CGI' },
      {
        kind: 'fastcgi',
        text: '/run/php/shop.sock',
        address: { kind: 'unix', path: '/run/php/shop.sock' },
      },
      {
        kind: 'proxy',
        text: 'http://127.0.0.1:3000',
        address: { kind: 'tcp', host: '127.0.0.1', port: 3000 },
      },
      {
        kind: 'proxy',
        text: 'http://127.0.0.1:4000',
        address: { kind: 'tcp', host: '127.0.0.1', port: 4000 },
      },
    ],
    runsAs: { by: 'SuexecUserGroup', user: 'alice' },
    overrides: [],
    file: '/etc/apache2/sites-enabled/x.conf',
    line: 2,
  });
  assert.deepEqual(
    plain?.handlers.map((each) =>
      'address' in each && each.address ? formatAddress(each.address) : each.text,
    ),
    ['127.0.0.1:3001', '/run/app.sock', '/run/php/php8.4-fpm.sock'],
  );
});

test("apacheSites() applies a server's <Directory> only to vhosts in it, and <Location> to none", () => {
  const php = 'SetHandler application/x-httpd-php';
  const text = `<Directory /usr/share/phpmyadmin>
<FilesMatch php>
${php}
</FilesMatch>
</Directory>
<Location /status>
${php}
</Location>
<VirtualHost *:80>
DocumentRoot /usr/share/phpmyadmin/www
</VirtualHost>
<VirtualHost *:80>
DocumentRoot /usr/share/phpmyadmin2
</VirtualHost>
`;
  assert.deepEqual(
    apacheSites(parseApacheDump(text).directives).map(({ handlers }) => handlers),
    [[{ kind: 'module', text: 'mod_php' }], []],
  );
});

const runs: readonly (readonly [string, string])[] = [
  ['RewriteRule ^/x http://127.0.0.1:4000/ [p]', 'proxy http://127.0.0.1:4000'],
  ['RewriteRule ^/x fcgi://127.0.0.1:4000/ "[L, proxy]"', 'fastcgi fcgi://127.0.0.1:4000'],
  ['RewriteRule ^/x - [H=application/x-httpd-php]', 'module mod_php'],
  ['RewriteRule ^/x - "[L, handler=cgi-script, QSA]"', 'cgi CGI'],
  ['RewriteRule ^/x /y [PT]', ''],
  ['ForceType application/x-httpd-ea-php84', 'module mod_php'],
  ['AddHandler x-httpd-php5 .html', 'module mod_php'],
  ['Action php-fcgi /cgi-bin/php', 'cgi CGI'],
  ['ProxyPassMatch ^/(.*\\.html)$ fcgi://127.0.0.1:9000/srv/$1', 'fastcgi fcgi://127.0.0.1:9000'],
  ['SetHandler server-status', ''],
];
for (const [directive, expected] of runs)
  test(`apacheSites() returns ${expected || 'nothing'} for ${directive}`, () => {
    const [site] = apacheSites(
      parseApacheDump(`<VirtualHost *:80>\n${directive}\n</VirtualHost>`).directives,
    );
    const found = site?.handlers.map(({ kind, text }) => `${kind} ${text}`);
    assert.deepEqual(found, expected === '' ? [] : [expected]);
  });

test('apacheSites() sets htaccess when .htaccess of the vhost may set a handler', () => {
  const overridable = (allow: string, inner = '') => {
    const text = `<Directory /home>\nAllowOverride ${allow}\n</Directory>
<VirtualHost *:80>\nDocumentRoot /home/a/www\n${inner}\n</VirtualHost>`;
    return apacheSites(parseApacheDump(text).directives)[0]?.htaccess ?? false;
  };
  assert.equal(overridable('All'), true);
  assert.equal(overridable('AuthConfig FileInfo'), true);
  assert.equal(overridable('AuthConfig Limit'), false);
  assert.equal(
    overridable('All', '<Directory /home/a/www>\nAllowOverride None\n</Directory>'),
    false,
  );
  assert.equal(overridable('None', '<Directory /home/a>\nAllowOverride all\n</Directory>'), true);
});

test('apacheSites() returns the main server when there is no vhost', () => {
  const text = 'Listen 80\nDocumentRoot /srv\nServerName a.example\n';
  const [site, none] = apacheSites(parseApacheDump(`# In file: /x\n#   1:\n${text}`).directives);
  assert.deepEqual(
    [site?.names, site?.root, site?.listen, none],
    [['a.example'], '/srv', ['80'], undefined],
  );
});

test('parseApacheDump() accepts any lines, and reports nesting deeper than 64', () => {
  const pieces = fc.constantFrom(
    '<A "b">',
    '</A>',
    '#  12:',
    '# In file: /x',
    'B "c',
    "d 'e' \\",
    '<',
    '',
  );
  fc.assert(
    fc.property(fc.array(pieces, { maxLength: 40 }), (lines) => {
      apacheSites(parseApacheDump(lines.join('\n')).directives);
    }),
  );
  assert.match(
    parseApacheDump('<A>\n'.repeat(5000)).problems[0]?.message ?? '',
    /more than 64 deep/,
  );
  assert.deepEqual(apacheWords(String.raw`a "b \"c\" d"'e f' g`), ['a', 'b "c" d', 'e f', 'g']);
});

test('parseEnvvars() parses plain assignments', () => {
  const text = `unset HOME
if [ x ] ; then
\tSUFFIX="-y"
fi
export APACHE_RUN_USER=www-data
export APACHE_PID_FILE=/var/run/apache2$SUFFIX/apache2.pid
export A="x \${APACHE_RUN_USER}"
export B='$A' # why
export C=$(id)
export LANG
`;
  assert.deepEqual(parseEnvvars(text), {
    APACHE_RUN_USER: 'www-data',
    APACHE_PID_FILE: '/var/run/apache2/apache2.pid',
    A: 'x www-data',
    B: '$A',
  });
});

test('withRunDirectory() replaces a run directory that exists only while Apache runs', () => {
  const environment = { APACHE_RUN_USER: 'www-data', APACHE_RUN_DIR: '/var/run/apache2' };
  assert.equal(
    withRunDirectory(environment, () => true),
    environment,
  );
  assert.deepEqual(
    withRunDirectory(environment, () => false),
    { ...environment, APACHE_RUN_DIR: '/run' },
  );
  const none = { APACHE_RUN_USER: 'www-data' };
  assert.equal(
    withRunDirectory(none, () => false),
    none,
  );
});

const fpm = (lines: readonly string[]) =>
  parseFpmDump(lines.map((each) => `[26-Nov-2026 01:15:08] NOTICE: ${each}\n`).join(''));

test('parseFpmDump() returns the values of pools, without undefined ones', () => {
  const pools = fpm([
    '[global]',
    '\tpid = /run/x.pid',
    ' ',
    '[shop]',
    '\tuser = alice',
    '\tgroup = client3',
    '\tlisten = 127.0.0.1:9001',
    '\tpm = ondemand',
    '\tpm.max_children = 8',
    '\tchroot = undefined',
    '\tenv[X] = a = b',
    '[a]b]',
    '\tlisten = /run/a.sock',
    '\tchroot = /srv',
    'configuration file /etc/php/8.4/fpm/php-fpm.conf test is successful',
  ]);
  assert.deepEqual(pools, [
    {
      name: 'shop',
      user: 'alice',
      group: 'client3',
      listen: '127.0.0.1:9001',
      address: { kind: 'tcp', host: '127.0.0.1', port: 9001 },
      pm: 'ondemand',
      childrenMax: 8,
    },
    {
      name: 'a]b',
      user: '',
      listen: '/run/a.sock',
      address: { kind: 'unix', path: '/run/a.sock' },
      pm: '',
      childrenMax: 0,
      chroot: '/srv',
    },
  ]);
});

test('parseFpmFile() returns the lines of sections, and the includes', () => {
  const text = `; [no]\n[shop]\nuser = a\n  [two]; x\ninclude=/etc/php/8.4/fpm/pool.d/*.conf\ninclude = "a b" ; y\n`;
  assert.deepEqual(parseFpmFile(text), {
    sections: [
      { name: 'shop', line: 2 },
      { name: 'two', line: 4 },
    ],
    includes: ['/etc/php/8.4/fpm/pool.d/*.conf', 'a b'],
  });
});

test('parseAddress() parses every form, and sameAddress() compares what they mean', () => {
  const texts: readonly (readonly [string, string | undefined])[] = [
    ['unix:/run/a.sock', '/run/a.sock'],
    ['/run/a.sock', '/run/a.sock'],
    ['9000', '*:9000'],
    ['*:9000', '*:9000'],
    ['LocalHost:9000', 'localhost:9000'],
    ['[0:0:0:0:0:0:0:1]:9000', '[::1]:9000'],
    ['[::]:9000', '*:9000'],
    ['[zz]:9000', undefined],
    ['a b:9000', undefined],
    ['127.0.0.1:70000', undefined],
    ['backend', undefined],
    ['', undefined],
  ];
  for (const [text, expected] of texts) {
    const address = parseAddress(text);
    assert.equal(address === undefined ? undefined : formatAddress(address), expected, text);
  }
  const same = (a: string, b: string) => sameAddress(parseAddress(a)!, parseAddress(b)!);
  assert.ok(same('9000', '127.0.0.1:9000'));
  assert.ok(same('localhost:9000', '127.0.0.1:9000'));
  assert.ok(!same('10.0.0.1:9000', '127.0.0.1:9000'));
  assert.ok(!same('/run/9000', '9000'));
});

test("parseServerError() finds message, file and line in each server's output", () => {
  assert.deepEqual(
    parseServerError(
      '2026/11/26 01:15:20 [emerg] 11#11: unknown directive "foo" in /etc/nginx/a in b.conf:3\nnginx: configuration file /n test failed\n',
    ),
    { message: 'unknown directive "foo"', file: '/etc/nginx/a in b.conf', line: 3 },
  );
  assert.deepEqual(
    parseServerError(
      "AH00526: Syntax error on line 12 of /etc/apache2/y.conf:\nInvalid command 'Foo', perhaps misspelled\n",
    ),
    { message: "Invalid command 'Foo', perhaps misspelled", file: '/etc/apache2/y.conf', line: 12 },
  );
  assert.deepEqual(
    parseServerError(
      "[26-Nov-2026 01:15:20] ERROR: [/etc/php/b.conf:11] unknown entry 'foo'\n[26-Nov-2026 01:15:20] ERROR: FPM initialization failed\n",
    ),
    { message: "unknown entry 'foo'", file: '/etc/php/b.conf', line: 11 },
  );
  assert.deepEqual(parseServerError(''), { message: 'it printed nothing' });
  mustEnd(() => parseServerError(`[emerg] ${' in /'.repeat(400_000)}`));
});

test('parseUnixSockets() and parseTcpSockets() return listening sockets only', () => {
  const unix = `Num       RefCount Protocol Flags    Type St Inode Path
0000000000000000: 00000002 00000000 00010000 0001 01 24211 /run/php/a b.sock
0000000000000000: 00000003 00000000 00000000 0001 03 24212 /run/php/a b.sock
0000000000000000: 00000002 00000000 00010000 0001 01 24213 @abstract
0000000000000000: 00000002 00000000 00010000 0001 01 24214
`;
  assert.deepEqual(parseUnixSockets(unix), [
    { address: { kind: 'unix', path: '/run/php/a b.sock' }, inode: '24211' },
  ]);
  const rest = '00000000:00000000 00:00000000 00000000  1001        0';
  const tcp = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A ${rest} 23717 1 0000000000000000 100 0 0 10 0
   1: 0100007F:1F91 0100007F:0050 01 ${rest} 23718 1 0000000000000000 100 0 0 10 0
   2: 00000000000000000000000001000000:0050 00000000000000000000000000000000:0000 0A ${rest} 23719 1
   3: 0000000000000000FFFF00000100007F:0051 00000000000000000000000000000000:0000 0A ${rest} 23720 1
   4: 00000000000000000000000000000000:0052 00000000000000000000000000000000:0000 0A ${rest} 23721 1
`;
  assert.deepEqual(
    parseTcpSockets(tcp).map(({ address, inode }) => [formatAddress(address), inode]),
    [
      ['127.0.0.1:8080', '23717'],
      ['[::1]:80', '23719'],
      ['127.0.0.1:81', '23720'],
      ['*:82', '23721'],
    ],
  );
});

test('isInCgroup() requires the cgroup in every hierarchy, and no other with the same prefix', () => {
  const roots = [
    { controller: 'cpu', path: '/bulkhead' },
    { controller: 'memory', path: '/bulkhead' },
  ];
  const text = (cpu: string, memory: string) => `9:cpuacct,cpu:${cpu}\n8:memory:${memory}\n0::/\n`;
  assert.ok(isInCgroup(text('/bulkhead/u1001', '/bulkhead/u1001/x'), roots, 'u1001'));
  assert.ok(!isInCgroup(text('/bulkhead/u1001', '/'), roots, 'u1001'));
  assert.ok(!isInCgroup(text('/bulkhead/u10011', '/bulkhead/u10011'), roots, 'u1001'));
  assert.ok(!isInCgroup(text('/bulkhead/u1001', '/bulkhead/u1001'), [], 'u1001'));
  const unified = [{ controller: '', path: '/bulkhead-tenants.service' }];
  assert.ok(isInCgroup('0::/bulkhead-tenants.service/r1/u5\n', unified, 'r1/u5'));
});
