/** Applications in a policy: what is read, and what is refused. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parsePolicy } from '../../src/policy/parse.ts';
import { resolvePolicy } from '../../src/policy/resolve.ts';

const accounts = [
  { user: 'alice', uid: 1001, gid: 1001, home: '/home/alice' },
  { user: 'bob', uid: 1002, gid: 1002, home: '/home/bob' },
];

function read(tenants: string) {
  const { document, diagnostics } = parsePolicy(
    'p.xml',
    `<bulkhead version="1">${tenants}</bulkhead>`,
  );
  assert.ok(document);
  const policy = resolvePolicy(document, { accounts, uidMin: 1000 });
  const messages = (wanted: string) =>
    diagnostics.list.filter(({ severity }) => severity === wanted).map(({ message }) => message);
  return { policy, errors: messages('error'), warnings: messages('warning') };
}
const inAlice = (body: string) => read(`<tenant user="alice">${body}</tenant>`);

test('applications of a tenant and of its sites are read', () => {
  const { policy, errors } = inAlice(`<app name="blog" command="node server.js"/>
    <site name="shop.example"><app name="shop" command='gunicorn "app:app"' directory="/home/alice/shop"
      listen="descriptor" socket="/run/shop/shop.sock" idle="never" starts="9" environment="/home/alice/.env">
      <env name="A" value="50% of $x"/><env name="B" value=""/></app></site>`);
  assert.deepEqual(errors, []);
  assert.deepEqual(policy.tenants[0]?.apps, [
    {
      name: 'blog',
      command: 'node server.js',
      listen: 'port',
      idleSeconds: 900,
      starts: 5,
      variables: [],
    },
    {
      name: 'shop',
      site: 'shop.example',
      command: 'gunicorn "app:app"',
      directory: '/home/alice/shop',
      listen: 'descriptor',
      socket: '/run/shop/shop.sock',
      idleSeconds: 0,
      starts: 9,
      environment: '/home/alice/.env',
      variables: [
        { name: 'A', value: '50% of $x' },
        { name: 'B', value: '' },
      ],
    },
  ]);
});

const app = (more: string, inside = '') => `<app name="a" command="x" ${more}>${inside}</app>`;
const refused: readonly (readonly [body: string, message: RegExp])[] = [
  ['<app name="a"/>', /needs the attribute "command"/],
  ['<app command="x"/>', /needs the attribute "name"/],
  ['<app name="../x" command="x"/>', /"\.\.\/x" is not the name of an application/],
  ['<app name="a" command="x&#10;User=root"/>', /control character/],
  ['<app name="a" command="x&#x2028;y"/>', /control character/],
  ['<app name="a" command=" "/>', /is not a command/],
  [`<app name="a" command="${'x'.repeat(4097)}"/>`, /4096/],
  [app('directory="blog"'), /"blog" is not an absolute path/],
  [app('directory="/a&#10;b"'), /is not an absolute path/],
  [app('environment=".env"'), /is not an absolute path/],
  [app('listen="udp"'), /"udp" is not one of port, descriptor, tcp/],
  [app('idle="5s"'), /"5s" is not between 10s and 365 days/],
  [app('idle="0"'), /"0"/],
  [app('starts="101"'), /the most is 100/],
  ...['/tmp/a.sock', '/run', '/run/../etc/x', '/run/a b', '/run/a%n', '/run//a', '/run/.a'].map(
    (path) => [app(`socket="${path}"`), /cannot be the path of a socket/] as const,
  ),
  [app('', '<env name="PORT" value="1"/>'), /"PORT" cannot be set here/],
  [app('', '<env name="LD_PRELOAD" value="/x"/>'), /"LD_PRELOAD" cannot be set here/],
  [app('', '<env name="A B" value="1"/>'), /"A B" is not the name of a variable/],
  [app('', '<env name="A" value="1&#10;B=2"/>'), /control character/],
  [app('', '<env name="A" value="1"/><env name="A" value="2"/>'), /"A" occurs twice/],
  [
    app('', Array.from({ length: 101 }, (_, at) => `<env name="A${at}" value=""/>`).join('')),
    /101 variables; 100 are the most/,
  ],
  [`${app('')}<site name="s.example">${app('')}</site>`, /"a" is listed twice/],
  [
    Array.from({ length: 51 }, (_, at) => `<app name="a${at}" command="x"/>`).join(''),
    /51 applications; 50 are the most/,
  ],
];

for (const [body, message] of refused)
  test(`${body.slice(0, 70)} is refused`, () => {
    const { errors } = inAlice(body);
    assert.ok(errors.length > 0 && errors.every((each) => message.test(each)), errors.join('\n'));
  });

test('two tenants cannot have one socket', () => {
  const of = (who: string) =>
    `<tenant ${who}><app name="a" command="x" socket="/run/a/a.sock"/></tenant>`;
  assert.deepEqual(read(of('user="alice"') + of('user="bob"')).errors, [
    'The application "a" of "alice" (uid 1001) has this socket, too',
  ]);
});

test('a policy stays valid when the account of an application is deleted', () => {
  const { policy, errors, warnings } = read(
    '<tenant uid="5000"><app name="a" command="x"/></tenant><tenant user="bob"><app name="a" command="x"/></tenant>',
  );
  assert.deepEqual(errors, []);
  assert.ok(
    warnings.includes(
      'An application needs an account, and uid 5000 has none; its applications are left out',
    ),
  );
  assert.deepEqual(
    policy.tenants.map(({ uid, apps }) => [uid, apps?.length]),
    [
      [1002, 1],
      [5000, undefined],
    ],
  );
});
