/** The pure parts of applications: units, names, the list of disabled ones, states. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import { formatDisabled, parseDisabled, withDisabled } from '../../src/app/core/disabled.ts';
import { parseUnitName, socketPath, unitName } from '../../src/app/core/names.ts';
import { RestWatch } from '../../src/app/core/rest-watch.ts';
import { endText, stateOf } from '../../src/app/core/state.ts';
import type { SliceOwner } from '../../src/plan/slice.ts';
import { quoted, serviceUnit, socketUnit } from '../../src/app/core/units.ts';
import { withoutComments } from '../../src/app/core/database-server.ts';
import type { App } from '../../src/policy/apps/app.ts';
import { ownDatabase } from '../../src/policy/databases/own-database.ts';
import { isUnitOf } from '../../src/stop/io/tenant-units.ts';
import { temporaryDirectory } from '../../testing/temporary-directory.ts';

const setting = {
  instance: 'bulkhead',
  launcher: '/usr/libexec/bulkhead/bulkhead-exec',
  state: '/var/lib/bulkhead',
  webGroup: 'www-data',
  databaseScript: 'set -eu\n\techo "$HOME 100%" \'\\\'\n',
  hasPollLimit: true,
  hasSlice: () => false,
};
const owner = { uid: 1001, user: 'alice' };
const plain: App = {
  name: 'blog',
  command: 'node server.js',
  listen: 'port',
  idleSeconds: 900,
  starts: 5,
  variables: [],
};
const execStart = (app: Partial<App>) =>
  /^ExecStart=(.*)$/m.exec(serviceUnit(setting, owner, { ...plain, ...app }))?.[1];

test('a service starts its command through the launcher', () => {
  const launch = '/usr/libexec/bulkhead/bulkhead-exec --instance bulkhead --app blog';
  assert.equal(execStart({}), `${launch} --app-idle 900 alice -- node server.js`);
  assert.equal(
    execStart({
      site: 'shop.example',
      listen: 'descriptor',
      idleSeconds: 0,
      directory: '/home/alice/my shop',
      environment: '/home/alice/.env',
      variables: [{ name: 'A', value: 'x' }],
    }),
    `${launch} --app-descriptor --app-env /home/alice/.env --chdir "/home/alice/my shop" --site shop.example --keep-env A alice -- node server.js`,
  );
});

test('a service is in the slice of its tenant or site, where that is one', () => {
  const slices = new Set(['1001', '1001 shop.example']);
  const hasSlice = ({ uid, site = '' }: SliceOwner) => slices.has(`${uid} ${site}`.trim());
  const placeOf = (app: Partial<App>) => {
    const unit = serviceUnit({ ...setting, hasSlice }, owner, { ...plain, ...app });
    return [/^Slice=(.*)$/m.exec(unit)?.[1], unit.includes(' --stay-in-slice ')];
  };
  assert.deepEqual(placeOf({}), ['user-1001.slice', true]);
  assert.deepEqual(placeOf({ site: 'shop.example' }), ['user-1001-shop.example.slice', true]);
  assert.deepEqual(placeOf({ site: 'new.example' }), [undefined, false]);
  slices.delete('1001');
  assert.deepEqual(placeOf({}), [undefined, false]);
  assert.deepEqual(placeOf({ site: 'shop.example' }), [undefined, false]);
});

test('a command that means the same without a shell starts without', () => {
  const words = (text: string) => execStart({ command: text })?.split(' alice -- ')[1];
  assert.equal(words('  /usr/bin/node  a.js --port=80 '), '/usr/bin/node a.js --port=80');
  assert.equal(words('node a%b.js'), 'node "a%%b.js"');
  for (const text of ['node *.js', 'node ~/x.js', 'node $A', "node 'a b'", 'node a#b', 'read x'])
    assert.match(words(text) ?? '', /^\/bin\/sh -c /, text);
});

test("a tenant's own database server is for its processes only, and gets our script", () => {
  const socket = socketUnit(setting, owner, ownDatabase);
  assert.match(socket, /^ListenStream=\/run\/bulkhead\/databases\/1001\/mysqld.sock$/m);
  assert.match(socket, /^SocketUser=1001\nSocketGroup=root\nSocketMode=0600\nDirectoryMode=0711$/m);
  const service = serviceUnit(setting, owner, ownDatabase);
  assert.match(service, /^Description=Database server of tenant alice$/m);
  assert.match(service, /^TimeoutStopSec=40$/m);
  assert.equal(
    /^ExecStart=(.*)$/m.exec(service)?.[1],
    String.raw`/usr/libexec/bulkhead/bulkhead-exec --instance bulkhead --app mariadb --app-idle 600 --app-private --app-ready 300 --app-end 30 alice -- /bin/sh -c "set -eu\n\techo \"$$HOME 100%%\" '\\'\n"`,
  );
});

test('comments of the script are in no unit, and those of what it writes are', () => {
  const script = '#!/bin/sh\n# Reason.\n\n\techo x\n\t# Reason.\n\t\t# Text.\n';
  assert.equal(withoutComments(script), '\techo x\n\t\t# Text.');
});

test('the program gets the process of the shell, unless the command has several parts', () => {
  const command = (text: string) => execStart({ command: text })?.split(' -c ')[1];
  assert.equal(
    command('venv/bin/gunicorn --bind "unix:$PORT" a:b'),
    String.raw`"exec venv/bin/gunicorn --bind \"unix:$$PORT\" a:b"`,
  );
  for (const text of [
    'cd app && node x.js',
    'A=1 node x.js',
    'exec node x.js',
    'node a.js; node b.js',
    '. ./env',
    '(node x)',
    '"my app" x',
    'x | y',
    '{ node; }',
  ])
    assert.ok(command(text)?.startsWith('"exec') === text.startsWith('exec'), text);
});

test('one that runs always is started at boot and again after a failure, and no other is', () => {
  const own = serviceUnit(setting, owner, plain, 'tenant');
  assert.match(own, /^TimeoutStopSec=6$/m);
  assert.match(own, / --app-end 2 /);
  const always = serviceUnit(setting, owner, { ...plain, idleSeconds: 0 });
  assert.match(always, /^Restart=on-failure$/m);
  assert.match(always, /^WantedBy=multi-user.target$/m);
  assert.doesNotMatch(serviceUnit(setting, owner, plain), /Restart=|WantedBy=/);
  assert.match(serviceUnit(setting, owner, plain), /^StartLimitBurst=5$/m);
});

test('a stop because a program is idle does not use up its starts', () => {
  const burst = (idleSeconds: number) =>
    /^StartLimitBurst=(\d+)$/m.exec(serviceUnit(setting, owner, { ...plain, idleSeconds }))?.[1];
  assert.deepEqual([10, 60, 61, 0].map(burst), ['11', '6', '5', '5']);
});

test('a service does not end with its socket, so that a frozen one stays', () => {
  const unit = serviceUnit(setting, owner, plain);
  assert.match(unit, /^Wants=bulkhead-app@1001:blog\.socket$/m);
  assert.doesNotMatch(unit, /^(?:Requires|BindsTo|PartOf)=/m);
});

test('only the web server may connect to a socket', () => {
  const unit = socketUnit(setting, owner, plain);
  assert.match(unit, /^ListenStream=\/run\/bulkhead-app\/1001\/blog\.sock$/m);
  assert.match(unit, /^SocketUser=root\nSocketGroup=www-data\nSocketMode=0660$/m);
});

/** Any text that the policy accepts in one line. */
const anyLine = fc
  .string({ unit: 'grapheme', maxLength: 60 })
  .filter((text) => !/\p{Cc}/u.test(text));
const tricky = fc
  .array(
    fc.constantFrom(
      '%',
      '%n',
      '$',
      '${PATH}',
      '$$',
      '"',
      "'",
      '\\',
      '\\n',
      ' ',
      ';',
      '#',
      'a',
      'é',
    ),
    {
      maxLength: 20,
    },
  )
  .map((parts) => parts.join(''));

test('no text of the policy begins another line of a unit, or is one word less or more', () => {
  fc.assert(
    fc.property(fc.oneof(anyLine, tricky), (text) => {
      const app = { ...plain, command: text, variables: [{ name: 'A', value: text }] };
      const lines = serviceUnit(setting, owner, app).split('\n');
      const expected = serviceUnit(setting, owner, {
        ...plain,
        variables: [{ name: 'A', value: 'x' }],
      });
      assert.equal(lines.length, expected.split('\n').length);
      // As systemd reads it: backslashes, quotes, specifiers and variables have no meaning of their own any more.
      const inside = quoted(text).slice(1, -1);
      assert.equal(
        inside.replace(/\\([\\"])|%(%)/g, (_, a, b) => a ?? b),
        text,
      );
      assert.ok(!/(?<!\\)(?:\\\\)*"/.test(inside));
    }),
  );
  assert.throws(() => quoted('a\nb'));
  assert.equal(
    execStart({ command: 'x $PORT 100% "q" \\' })?.split(' -c ')[1],
    String.raw`"x $$PORT 100%% \"q\" \\"`,
  );
});

test(
  'systemd accepts the units',
  { skip: spawnSync('systemd-analyze').error ? 'needs systemd-analyze' : false },
  () => {
    using scratch = temporaryDirectory('app-units');
    const app = {
      ...plain,
      command: 'x %n $PORT "a" \\ ; #',
      variables: [{ name: 'A', value: '% " \\' }],
    };
    const launcher = '/bin/true';
    const path = (type: 'service' | 'socket') =>
      `${scratch.path}/${unitName('bulkhead', { uid: 1001, name: 'blog' }, type)}`;
    const databaseScript = withoutComments(readFileSync('libexec/bulkhead-mariadb', 'utf8'));
    const database = `${scratch.path}/${unitName('bulkhead', { uid: 1001, name: 'mariadb' }, 'service')}`;
    const withScript = { ...setting, launcher, databaseScript };
    writeFileSync(database, serviceUnit(withScript, owner, ownDatabase));
    writeFileSync(path('service'), serviceUnit({ ...setting, launcher }, owner, app));
    writeFileSync(path('socket'), socketUnit({ ...setting, webGroup: 'root' }, owner, app));
    const run = spawnSync(
      'systemd-analyze',
      ['verify', '--man=no', database, path('service'), path('socket')],
      {
        encoding: 'utf8',
      },
    );
    assert.doesNotMatch(run.stderr, /bulkhead-app.*(?:Unknown|Failed to parse|Invalid|ignoring)/i);
  },
);

test('names of units are read back, and others are not ours', () => {
  for (const type of ['service', 'socket'] as const)
    assert.deepEqual(
      parseUnitName('bulkhead', unitName('bulkhead', { uid: 1001, name: 'a-b' }, type)),
      {
        uid: 1001,
        name: 'a-b',
        type,
      },
    );
  for (const other of [
    'bulkhead-app@1001.service',
    'bulkhead-app@0:a.socket',
    'bulkhead-app@1001:A.socket',
    'bulkhead-app@1001:a.service.d',
    'bulkhead-fpm84@1001:a.socket',
    'other-app@1001:a.socket',
  ])
    assert.equal(parseUnitName('bulkhead', other), undefined, other);
});

test('a stopped tenant keeps out its own applications, and no others', () => {
  const unit = 'bulkhead-app@1001:blog.socket';
  assert.ok(isUnitOf({ uid: 1001, user: 'alice' }, 'bulkhead', unit));
  assert.ok(!isUnitOf({ uid: 100, user: '1001' }, 'bulkhead', unit));
  assert.ok(!isUnitOf({ uid: 1001, user: 'alice' }, 'other', unit));
});

test('socketPath() returns the path in the policy, or one with uid and name', () => {
  assert.equal(socketPath('demo', 5, { name: 'a' }), '/run/demo-app/5/a.sock');
  assert.equal(socketPath('demo', 5, { name: 'a', socket: '/run/x.sock' }), '/run/x.sock');
});

test('the list of disabled applications is read as it was written', () => {
  const one = withDisabled(new Set(), { uid: 1001, name: 'blog' }, true);
  const two = withDisabled(one, { uid: 1002, name: 'shop' }, true);
  assert.deepEqual(parseDisabled(formatDisabled(two)), two);
  assert.deepEqual(withDisabled(two, { uid: 1001, name: 'blog' }, false), new Set(['1002 shop']));
  assert.deepEqual(parseDisabled('# x\n1001 ../blog\n'), { badLine: 2 });
});

test('stateOf() tells what a visitor meets', () => {
  const facts = {
    isDisabled: false,
    isRefused: false,
    isStopped: false,
    isCurrent: true,
    runsAlways: false,
  };
  const state = (service: string, socket: string, more = {}) =>
    stateOf({ ...facts, units: { service, socket }, ...more });
  assert.equal(state('active', 'active'), 'running');
  assert.equal(state('inactive', 'active'), 'idle');
  assert.equal(state('failed', 'active'), 'failed');
  assert.equal(state('failed', 'failed'), 'crash loop');
  assert.equal(state('failed', 'active', { runsAlways: true }), 'crash loop');
  assert.equal(state('inactive', 'inactive'), 'not applied');
  assert.equal(state('active', 'active', { isCurrent: false }), 'not applied');
  assert.equal(state('inactive', 'inactive', { isStopped: true }), 'tenant stopped');
  assert.equal(state('inactive', 'inactive', { isDisabled: true }), 'disabled');
  assert.equal(state('active', 'active', { isDisabled: true }), 'not applied');
  assert.equal(state('active', 'inactive'), 'not applied');
  assert.equal(state('active', 'active', { isStopped: undefined }), 'running');
  assert.equal(state('inactive', 'inactive', { isStopped: undefined }), 'unknown');
  const failed = (socketResult: string) =>
    stateOf({ ...facts, units: { service: 'inactive', socket: 'failed', socketResult } });
  assert.equal(failed('service-start-limit-hit'), 'crash loop');
  assert.equal(failed('resources'), 'not applied');
  assert.equal(stateOf(facts), 'unknown');
});

test('endText() tells how a program ended', () => {
  assert.equal(endText({ code: '1', status: '7' }), 'ended with status 7');
  assert.equal(endText({ code: '1', status: '134' }), 'ended by signal 6');
  assert.equal(endText({ code: '2', status: '9' }), 'ended by signal 9');
  assert.equal(endText({ code: '0', status: '0' }), undefined);
});

test('an application in a crash loop rests, and is tried again', () => {
  const watch = new RestWatch();
  const minute = 60_000;
  assert.deepEqual(watch.see(['1 a'], 0), {
    begun: new Set(['1 a']),
    over: new Set(),
    resting: new Set(['1 a']),
  });
  assert.deepEqual(watch.see(['1 a', '1 b'], 3 * minute).begun, new Set(['1 b']));
  const later = watch.see(['1 a', '1 b'], 5 * minute);
  assert.deepEqual([later.over, later.resting], [new Set(['1 a']), new Set(['1 b'])]);
  assert.deepEqual(watch.see(['1 a'], 6 * minute).begun, new Set(['1 a']));
});

test('RestWatch.start() lets a program that ends by itself start once in five minutes', () => {
  const watch = new RestWatch();
  const see = (nowMs: number, ...keys: readonly string[]) => {
    const { over, resting } = watch.start(keys, nowMs);
    return [[...over], [...resting]];
  };
  assert.deepEqual(see(0, 'a', 'b'), [['a', 'b'], []]);
  // It was up meanwhile, which changes nothing.
  assert.deepEqual(see(30_000), [[], []]);
  assert.deepEqual(see(60_000, 'a', 'c'), [['c'], ['a']]);
  assert.deepEqual(see(299_999, 'a'), [[], ['a']]);
  assert.deepEqual(see(300_000, 'a', 'c'), [['a'], ['c']]);
});
