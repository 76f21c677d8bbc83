/**
 * Which requests of a vhost are entries: whatever reaches a program has to count. nginx itself says what reaches one,
 * for every pattern and every path that anybody thought of.
 */
import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { test } from 'node:test';
import { eventually } from '../../testing/patience.ts';
import { parseNginxFile } from '../../src/web/core/nginx/file.ts';
import {
  countingOf,
  guessesStatics,
  mergedCounting,
  type Counting,
} from '../../src/web/core/nginx/counting.ts';
import { staticNames } from '../../src/web/core/entries/nginx-file.ts';
import { stagedSuite, type EntriesStage } from './entries-stage.ts';
import { uids } from './stage.ts';

function countingIn(text: string): Counting {
  const { directives, problems } = parseNginxFile('a.conf', text);
  assert.deepEqual(problems, []);
  return countingOf(directives);
}

/** `PASS` stands for the directives that start the script. */
const php = String.raw`location ~ \.php$ { PASS }`;
const front = 'location / { try_files $uri /index.php; }';
const statics = String.raw`location ~* \.(?:css|js|png|jpg)$ { expires 1d; }`;
/** Texts of vhosts. `PASS` stands for the directives that pass requests to a program. */
const vhosts: Readonly<Record<string, string>> = {
  plain: `${front} ${php}`,
  split: String.raw`${front} location ~ ^(.+\.php)(.*)$ { PASS }`,
  html: String.raw`location ~ \.(php|html)$ { PASS }`,
  anywhere: String.raw`${front} location ~ \.php { PASS }`,
  listed: String.raw`location ~ ^/(index|get|static|report)\.php { PASS }`,
  caseless: String.raw`location ~* \.PHP(?:/|$) { PASS }`,
  slashed: String.raw`${front} location ~ [^/]\.php(/|$) { try_files $uri =404; PASS }`,
  oneword: String.raw`location ~\.php$ { PASS } location =/api { PASS } location ^~/static { PASS }`,
  digits: String.raw`location ~ "\.ph(?:p\d{0,2}|tml)$" { PASS }`,
  noname: 'location ~ ^/report { PASS }',
  negative: String.raw`location ~ ^(?!.*\.css$) { PASS }`,
  exact: `location = /report { PASS } ${php}`,
  prefix: `location /api { PASS } location /static { } ${php}`,
  firm: String.raw`location ^~ /api { PASS } ${statics} location / { PASS }`,
  nested: `location /dir/ { ${php} } location /api { location /api/x { PASS } }`,
  deep: String.raw`location / { location ~ ^/api { location ~ \.css$ { PASS } } ${statics} }`,
  hestia: String.raw`location / { PASS location ~* ^.+\.(?:css|png)$ { try_files $uri @back; } }
    location @back { PASS } location /static/ { } location ~ /\.(?!well-known) { return 404; }`,
  hestiafpm: String.raw`location / { try_files $uri $uri/ /index.php?$args;
    if (!-e $request_filename) { rewrite ^(.+)$ /index.php?q=$1 last; }
    ${statics} location ~ [^/]\.php(/|$) { PASS } }`,
  proxied: 'location / { PASS } location /static/ { }',
  all: 'location / { PASS }',
  allfirm: `location ^~ / { PASS } ${statics}`,
  named: 'location / { try_files $uri @app; } location @app { PASS }',
  namedown: `location / { try_files $uri @app; } location @app { PASS } ${statics}`,
  chained:
    'location / { try_files $uri @a; } location @a { try_files /none @b; } location @b { PASS }',
  error: 'error_page 404 = @app; location /x { } location @app { PASS }',
  teapot: 'location / { error_page 418 = @app; return 418; } location @app { PASS }',
  conditional: 'location / { if (!-f $request_filename) { PASS } }',
  conditionalphp: String.raw`location ~ \.php { if ($request_method = GET) { PASS } }`,
  stripped: `location /api/ { rewrite ^/api(/.*)$ $1 break; PASS } ${statics} ${front} ${php}`,
  broken: String.raw`location /api/ { rewrite ^/api(.*)$ /file$1; break; PASS }`,
  last: `location /old { rewrite ^/old(.*)$ /index.php$1 last; } ${php}`,
  server: `rewrite ^/old(.*)$ /api$1 break; location /api { PASS }`,
  order: String.raw`location ~ ^/static/ { } location ~ \.php { PASS } location ~ \.css$ { PASS }`,
  longest: 'location /api { PASS } location /api/x { } location /api/x.css { PASS }',
  quoted: String.raw`location "/a b" { PASS } location /a.php { PASS } location ~ "a\"b|\.php$" { PASS }`,
  index: `index index.php; location / { } ${php}`,
  captures: String.raw`location ~ ^/api(.*)$ { add_header X-Rest $1; PASS }`,
};

/** Separated by spaces. */
const paths =
  `/ /index.php /index.phpx /index.php.css /index.php/tail /INDEX.PHP /a.phtml /page.html /report
  /report.php /reporter.css /get.php5 /x.css /file.css /none.png /api /api/ /api/x
  /api/x.css /api/x.php /apiary /%61pi/x.css //api/y /api/../x.css /static /static/x.css /static/x.php
  /dir/ /dir/a.php /dir/a.php%0a /index.php%0a.css /old /old/x.css /a%20b /a.php /aXphp
  /.hidden /none.css?a.php /API/x`.split(/\s+/);

for (const [name, text] of Object.entries({
  everything:
    'location / { try_files $uri /i.php; } location ~ ^/(.*)$ { rewrite ^ /x last; root /$1; }',
  'a name that is not UTF-8': 'location ~ \ufffd { proxy_pass http://a; }',
  'a capture of the server': 'root /srv/$2; location / { proxy_pass http://a; }',
}))
  test(`countingOf() counts every request when it cannot distinguish: ${name}`, () =>
    assert.deepEqual(countingIn(text), { rules: [], rest: 'counts' }));

test('mergedCounting() counts what any vhost with the same name passes on', () => {
  const one = countingIn(String.raw`location ~ \.php$ { proxy_pass http://a; }`);
  const other = countingIn('location /api { proxy_pass http://a; } location / { root /; }');
  assert.deepEqual(mergedCounting([one, one]), one);
  assert.deepEqual(mergedCounting([one, other]), {
    rules: [...one.rules, ...other.rules],
    rest: 'free',
  });
  const pages = countingIn(
    'location / { try_files $uri @a; } location @a { proxy_pass http://a; }',
  );
  assert.equal(mergedCounting([one, pages]).rest, 'pages');
});

await stagedSuite('what counts', suite);

function suite(stage: EntriesStage): void {
  test('web entries counts whatever reaches a program, in every vhost and for every path', async () => {
    const pass = `fastcgi_pass unix:${stage.at('owner.sock')};`;
    await stage.prepare((port) => {
      stage.root('root', uids.owner);
      stage.write('root/static/x.css', 'static');
      return Object.entries(vhosts)
        .map(
          ([name, text]) => `server {
  listen 127.0.0.1:${port}; server_name ${name}.example; root ${stage.at('root')};
  fastcgi_param SCRIPT_FILENAME ${stage.at('root')}/index.php;
  fastcgi_param REQUEST_METHOD $request_method;
  ${text.replaceAll('PASS', pass)}
}`,
        )
        .join('\n');
    });
    stage.start30();
    await stage.served(['all.example']);
    const asked = Object.keys(vhosts).flatMap((name) => paths.map((path) => ({ name, path })));
    const runs = new Map<string, boolean>();
    for (const { name, path } of asked)
      runs.set(`${name}${path}`, (await raw(name, path)).includes('\nserved'));
    for (const name of Object.keys(vhosts))
      assert.ok(
        paths.some((path) => runs.get(`${name}${path}`)),
        `${name} runs nothing`,
      );

    assert.equal(await stage.enabled(new Map([[uids.owner, 1]])), 'reloaded');
    const held = await stage.plan(new Map([[uids.owner, 1]]));
    assert.ok(held.ok);
    assert.equal(held.value.enforcement.enforced.length, Object.keys(vhosts).length);
    const counts = new Map(
      held.value.enforcement.enforced.map(({ name, counts: each }) => [name, each]),
    );
    // The only slot of all the sites is taken.
    stage.shut();
    const first = raw('all', '/');
    await eventually('one runs', () => stage.running() === 1);
    const free: string[] = [];
    const files: string[] = [];
    for (const { name, path } of asked) {
      const counting = counts.get(`${name}.example`);
      const answer = await Promise.race([
        raw(name, path),
        eventually('it runs', () => stage.running() > 1).then(() => 'ran'),
      ]);
      const refused = answer.startsWith('HTTP/1.1 508');
      const mayPass = counting !== undefined && guessesStatics(counting) && isStatic(path);
      if (answer === 'ran') {
        if (!mayPass) free.push(`${name}${path}`);
        stage.letGo();
        await eventually('it has ended', async () => (await raw('all', '/')).includes('\nserved'));
        stage.shut();
        void raw('all', '/');
        await eventually('one runs again', () => stage.running() === 1);
      } else if (refused && runs.get(`${name}${path}`) !== true) files.push(`${name}${path}`);
      else if (runs.get(`${name}${path}`) === true && !refused)
        free.push(`${name}${path}: ${answer}`);
    }
    stage.letGo();
    await first;
    assert.deepEqual(free, []);
    // If files and pages cannot be told apart, files and errors count as well; elsewhere nothing counts that runs
    // nothing.
    const broad = [
      'slashed',
      'nested',
      'deep',
      'named',
      'namedown',
      'chained',
      'error',
      'conditional',
      'broken',
    ];
    assert.deepEqual(
      files.filter((each) => !broad.includes(each.replace(/\/.*$/s, ''))),
      [],
    );
    const guessed = [...counts].filter(([, each]) => guessesStatics(each)).map(([name]) => name);
    assert.deepEqual(
      guessed.toSorted(),
      ['broken', 'chained', 'conditional', 'error', 'hestia', 'named', 'stripped', 'teapot'].map(
        (each) => `${each}.example`,
      ),
    );
    const answer = await eventually('an entry is free', async () => {
      const text = await raw('captures', '/api/rest');
      return !/^HTTP\S+ 508/.test(text) && text;
    });
    assert.match(answer, /^X-Rest: \/rest\r$/m);
  });

  const isStatic = (path: string) => {
    const ending = /\.([a-z0-9]+)$/i.exec(path.replace(/\?.*$/, ''))?.[1]?.toLowerCase();
    return ending !== undefined && staticNames.includes(ending);
  };

  /** Requests a path exactly as it is written, which HTTP clients do not do. */
  function raw(name: string, path: string): Promise<string> {
    return new Promise((resolve) => {
      let text = '';
      const socket = connect(stage.port, '127.0.0.1', () =>
        socket.write(`GET ${path} HTTP/1.1\r\nHost: ${name}.example\r\nConnection: close\r\n\r\n`),
      );
      socket.setEncoding('latin1').on('data', (piece: string) => (text += piece));
      socket.on('close', () => resolve(text));
      socket.on('error', () => resolve(text));
    });
  }
}
