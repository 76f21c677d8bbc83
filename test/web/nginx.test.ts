/** nginx's configuration, as hostile as nginx itself accepts it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Directive } from '../../src/web/core/directive.ts';
import { splitNginxDump } from '../../src/web/core/nginx/dump.ts';
import { parseNginxFile } from '../../src/web/core/nginx/file.ts';
import { nginxTree } from '../../src/web/core/nginx/includes.ts';
import { nginxSites } from '../../src/web/core/nginx/sites.ts';
import { nameMatcher, pathMatcher } from '../../src/web/core/wildcard.ts';
import { mustEnd } from '../../testing/patience.ts';

const parse = (text: string) => parseNginxFile('/n.conf', text);
/** Names and arguments, nested, without places. */
const shape = (directives: readonly Directive[]): unknown[] =>
  directives.map(({ name, args, block }) =>
    block === undefined ? [name, ...args] : [name, ...args, shape(block)],
  );
const shapeOf = (text: string) => shape(parse(text).directives);
const sitesOf = (http: string) =>
  nginxSites([{ path: '/n.conf', text: `http {\n${http}\n}` }]).sites;

test('parseNginxFile() parses words, quotes, escapes and comments as nginx does', () => {
  assert.deepEqual(shapeOf('user www-data; # a comment; {\npid\n/run/x.pid;'), [
    ['user', 'www-data'],
    ['pid', '/run/x.pid'],
  ]);
  assert.deepEqual(shapeOf(`a "b;c{}#d" 'e"f' "g\\"h" i\\;j k#l;`), [
    ['a', 'b;c{}#d', 'e"f', 'g"h', 'i\\;j', 'k#l'],
  ]);
  assert.deepEqual(shapeOf('a "x\\ty" "C:\\\\z" \\d+;'), [['a', 'x\ty', 'C:\\z', '\\d+']]);
});

test('parseNginxFile() keeps braces in a quoted regex or after a dollar in the word', () => {
  assert.deepEqual(shapeOf('location ~ "^/a{2,3}/(.*)$" { return 301 /${x}y; }'), [
    ['location', '~', '^/a{2,3}/(.*)$', [['return', '301', '/${x}y']]],
  ]);
  assert.deepEqual(shapeOf('if ($a = "}") { set $b 1; }'), [
    ['if', '($a', '=', '}', ')', [['set', '$b', '1']]],
  ]);
});

test('parseNginxFile() skips Lua to its closing brace, and counts its lines', () => {
  const { directives, problems } = parse(
    `content_by_lua_block {
      local t = { "}", '\\'}', [[ } ]], [==[ ]] } ]==] } -- }
      --[[ } \n ]] ngx.say(t)
    }
    after 1;`,
  );
  assert.deepEqual(problems, []);
  assert.deepEqual(shape(directives), [['content_by_lua_block'], ['after', '1']]);
  assert.equal(directives[1]?.line, 6);
  assert.match(parse('a_by_lua_block { "').problems[0]?.message ?? '', /does not end/);
});

test('parseNginxFile() reports broken text with its line, and keeps what came before', () => {
  const open = parse('http {\n server {\n listen 80;\n');
  assert.deepEqual(shape(open.directives), [['http', [['server', [['listen', '80']]]]]]);
  assert.deepEqual(open.problems, [
    { file: '/n.conf', line: 4, message: 'it ends within a directive' },
  ]);
  assert.equal(parse('a 1;\n}\n').problems[0]?.line, 2);
  assert.match(parse('a {'.repeat(1000)).problems[0]?.message ?? '', /nested more than 64 deep/);
});

test('parseNginxFile() reads back any quoted words', () => {
  const word = fc
    .string({ minLength: 1, maxLength: 12, unit: 'grapheme' })
    .filter((each) => !each.includes('\\'));
  const quote = (text: string) => `"${text.replaceAll('"', '\\"')}"`;
  fc.assert(
    fc.property(
      fc.array(fc.array(word, { minLength: 1, maxLength: 4 }), { maxLength: 6 }),
      (all) => {
        const text = all.map((words) => `x ${words.map(quote).join(' ')};`).join('\n');
        assert.deepEqual(
          shapeOf(text),
          all.map((words) => ['x', ...words]),
        );
      },
    ),
  );
});

test('parseNginxFile() returns for any text', () => {
  const pieces = fc.constantFrom(
    '{',
    '}',
    ';',
    '"',
    "'",
    '\\',
    '#',
    '\n',
    ' ',
    '$',
    'a',
    'x_by_lua_block',
    '[[',
    '--',
  );
  fc.assert(
    fc.property(fc.array(pieces, { maxLength: 60 }), (all) => {
      parse(all.join(''));
    }),
  );
});

const bytes = (text: string) => new TextEncoder().encode(text);
const dumpOf = (files: Readonly<Record<string, string>>) =>
  bytes(
    Object.entries(files)
      .map(([path, text]) => `# configuration file ${path}:\n${text}\n`)
      .join(''),
  );

test('splitNginxDump() cuts a dump by file sizes, so that a comment cannot forge a file', () => {
  const files = {
    '/etc/nginx/nginx.conf': 'user ä;\ninclude /a.conf;\n',
    '/a.conf': 'x 1;\n# configuration file /etc/nginx/nginx.conf:\ny 2;\n',
    '/empty.conf': '',
    '/b.conf': 'z 3;',
  };
  const sizeOf = (path: string) => {
    const text = files[path as keyof typeof files];
    return text === undefined ? undefined : bytes(text).length;
  };
  const whole = splitNginxDump(dumpOf(files), sizeOf).files;
  // Each file is followed by a newline.
  assert.deepEqual(
    whole.map(({ path, text }) => [path, text]),
    Object.entries(files).map(([path, text]) => [path, `${text}\n`]),
  );
  const unsized = splitNginxDump(dumpOf(files), () => undefined).files;
  assert.equal(unsized.length, 5);
  assert.equal(unsized[0]?.text, 'user ä;\ninclude /a.conf;\n\n');
  assert.deepEqual(splitNginxDump(bytes('nothing'), () => undefined).files, []);
});

const filesOf = (files: Readonly<Record<string, string>>) =>
  Object.entries(files).map(([path, text]) => ({ path, text }));
const treeOf = (files: Readonly<Record<string, string>>) => nginxTree(filesOf(files));

test('nginxTree() resolves includes by name and by pattern, relative to the main file', () => {
  const { directives, problems } = treeOf({
    '/etc/nginx/nginx.conf': 'http { include mime.types; include sites/*; include /none/*.conf; }',
    '/etc/nginx/mime.types': 'types { text/html html; }',
    '/etc/nginx/sites/b.conf': 'server { include snip.conf; }',
    '/etc/nginx/sites/a.conf': 'server { include snip.conf; listen 81; }',
    '/etc/nginx/sites/.hidden': 'server { }',
    '/etc/nginx/snip.conf': 'root /srv;',
  });
  assert.deepEqual(problems, []);
  assert.deepEqual(shape(directives), [
    [
      'http',
      [
        ['types', [['text/html', 'html']]],
        ['server', [['root', '/srv']]],
        [
          'server',
          [
            ['root', '/srv'],
            ['listen', '81'],
          ],
        ],
      ],
    ],
  ]);
});

test('nginxTree() reports includes that loop, nest too deep, or grow without bound', () => {
  const loop = treeOf({ '/n.conf': 'include /a;', '/a': 'x 1;\ninclude /b;', '/b': 'include /a;' });
  assert.deepEqual(shape(loop.directives), [['x', '1']]);
  assert.deepEqual(loop.problems, [
    { file: '/b', line: 1, message: 'it includes "/a" within itself' },
  ]);
  const deep = Object.fromEntries(
    Array.from({ length: 200 }, (_, index) => [`/${index}`, `include /${index + 1};`]),
  );
  assert.match(treeOf(deep).problems[0]?.message ?? '', /more than 64 deep/);
  const twice = Object.fromEntries(
    Array.from({ length: 60 }, (_, index) => [
      `/${index}`,
      index === 59 ? 'x 1;' : `include /${index + 1}; include /${index + 1};`,
    ]),
  );
  const { problems } = mustEnd(() => treeOf(twice));
  assert.deepEqual(
    problems.map((each) => each.message),
    ['more than 1000000 directives are included; the rest is left out'],
  );
});

test('nginxTree() takes linear time for thousands of vhosts with their own includes', () => {
  const count = 5_000;
  const vhosts = Array.from({ length: count }, (_, index) => [
    [
      `/etc/nginx/sites/${index}.conf`,
      `server { server_name s${index}; include /home/u${index}/x*; include fcgi; }`,
    ],
    [`/home/u${index}/x1`, `root /home/u${index}/www;`],
  ]).flat();
  const files = filesOf({
    '/etc/nginx/nginx.conf': 'http { include sites/*.conf; }',
    '/etc/nginx/fcgi': 'fastcgi_pass unix:/run/x.sock;',
    ...Object.fromEntries(vhosts),
  });
  assert.deepEqual(mustEnd(() => nginxTree(files)).problems, []);
  const { sites } = mustEnd(() => nginxSites(files));
  assert.equal(sites.length, count);
  assert.equal(sites[4_999]?.root, '/home/u4999/www');
});

test('pathMatcher() matches as the shell does, and never takes long', () => {
  assert.ok(pathMatcher('/a/*.conf')('/a/b.conf'));
  assert.ok(pathMatcher('/a/?')('/a/b'));
  assert.ok(pathMatcher('/a/[a-c][!2]')('/a/b1'));
  assert.ok(!pathMatcher('/a/[a-c][!2]')('/a/b2'));
  assert.ok(!pathMatcher('/a/*.conf')('/a/b/c.conf'));
  assert.ok(!pathMatcher('/a/*')('/a/.x'));
  assert.ok(nameMatcher('*.x', { dots: true })('.a.x'));
  assert.ok(!mustEnd(() => pathMatcher(`/${'a*'.repeat(500)}b`)(`/${'a'.repeat(20_000)}`)));
});

test('nginxSites() returns names, addresses, root and handlers of each site', () => {
  const [site, bare] = sitesOf(`
    root /default;
    upstream pool { server unix:/run/php/up.sock weight=2; server 10.0.0.2:9001; }
    server {
      listen 80; listen [::]:443 ssl;
      server_name shop.example "www.shop.example";
      root /home/alice/www;
      location ~ \\.php$ { fastcgi_pass unix:/run/php/shop.sock; }
      location /more { location ~ x { fastcgi_pass pool; } }
      location /api { proxy_pass http://127.0.0.1:3000/v1; }
      location /var { fastcgi_pass $where; }
      location /sock { proxy_pass http://unix:/run/app.sock:/uri/; }
    }
    server { }`);
  assert.deepEqual(site?.names, ['shop.example', 'www.shop.example']);
  assert.deepEqual(site?.listen, ['80', '[::]:443']);
  assert.equal(site?.root, '/home/alice/www');
  assert.deepEqual(
    site?.handlers.map((each) => [each.kind, 'address' in each ? each.address : undefined]),
    [
      ['fastcgi', { kind: 'unix', path: '/run/php/shop.sock' }],
      ['fastcgi', { kind: 'unix', path: '/run/php/up.sock' }],
      ['fastcgi', { kind: 'tcp', host: '10.0.0.2', port: 9001 }],
      ['proxy', { kind: 'tcp', host: '127.0.0.1', port: 3000 }],
      ['fastcgi', undefined],
      ['proxy', { kind: 'unix', path: '/run/app.sock' }],
    ],
  );
  assert.deepEqual([bare?.names, bare?.root, bare?.handlers], [[], '/default', []]);
});

test('nginxSites() skips servers of stream, and returns no program for redirections', () => {
  const text = 'stream { server { listen 25; } } http { server { return 301 /; } }';
  const { sites, directives } = nginxSites([{ path: '/n.conf', text }]);
  assert.deepEqual(
    sites.map((each) => each.handlers),
    [[{ kind: 'other', text: 'return' }]],
  );
  assert.deepEqual(shape(directives), [
    ['stream', [['server', [['listen', '25']]]]],
    ['http', []],
  ]);
});

test('nginxSites() has what servers inherit from lines after them, and each file as often as it is included', () => {
  const files = {
    '/n.conf':
      'http { include a; include b; include a; root /late; upstream up { server 10.0.0.1; } }',
    '/a': 'server { server_name a; location / { proxy_pass http://up; } }',
    '/b': 'server { server_name b; x }',
  };
  const { sites, problems } = nginxSites(filesOf(files));
  assert.deepEqual(
    sites.map(({ names, root, handlers: [first] }) => [names, root, first?.text]),
    [
      [['a'], '/late', 'http://up'],
      [['b'], '/late', undefined],
      [['a'], '/late', 'http://up'],
    ],
  );
  assert.deepEqual(problems, []);
  const broken = nginxSites(filesOf({ ...files, '/b': 'server { server_name b;' }));
  assert.equal(broken.sites.length, 3);
  assert.deepEqual(
    broken.problems.map(({ file }) => file),
    ['/b'],
  );
  const twice = Object.fromEntries(
    Array.from({ length: 60 }, (_, index) => [
      `/${index}`,
      index === 59 ? 'server {}' : `include /${index + 1}; include /${index + 1};`,
    ]),
  );
  const many = mustEnd(() => nginxSites(filesOf({ '/n.conf': 'http { include /0; }', ...twice })));
  assert.match(many.problems[0]?.message ?? '', /more than 1000000 directives/);
});

test('nginxSites() returns overrides where requests are handled, not those for static files', () => {
  const [site] = sitesOf(`server {
      access_log /var/log/a.log;
      location ~* \\.css$ { access_log off; }
      location / {
        add_header X-A b;
        location ~ \\.php$ { limit_conn perip 5; fastcgi_pass 127.0.0.1:9000; }
      }
    }`);
  assert.deepEqual(
    site?.overrides.map(({ directive, line }) => [directive, line]),
    [
      ['access_log', 3],
      ['add_header', 6],
      ['limit_conn', 7],
    ],
  );
});
