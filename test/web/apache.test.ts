/** Apache's flattened configuration. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { formatAddress } from '../../src/web/core/address.ts';
import { apacheWords, parseApacheDump } from '../../src/web/core/apache/dump.ts';
import { parseEnvvars, withRunDirectory } from '../../src/web/core/apache/environment.ts';
import { apacheSites } from '../../src/web/core/apache/sites.ts';

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
    logs: { levels: [[]] },
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
  ['FcgidWrapper /home/alice/php-wrapper .php', 'cgi mod_fcgid'],
  ['AddHandler fcgid-script .php', 'cgi mod_fcgid'],
  ['AddHandler x-httpd-suphp .php', 'wrapper suPHP'],
  ['AddHandler application/x-httpd-suphp .php', 'wrapper suPHP'],
  ['AddType application/x-lsphp .php', 'wrapper mod_lsapi'],
  ['AddHandler application/x-httpd-lsphp84 .php', 'wrapper mod_lsapi'],
  ['SetHandler lsapi-script', 'wrapper mod_lsapi'],
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
