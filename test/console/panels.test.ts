/** The scripts of docs/console-*.md, run as the panels run them, against the agent's real sockets. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { chmodSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { ConsoleSessionStart } from '../../src/agent/api/console-api.ts';
import { pathsOf } from '../../src/host/paths.ts';
import { temporaryDirectory } from '../../testing/temporary-directory.ts';
import { blocksOf } from './served.ts';
import { Stage, uids } from './stage.ts';

const program = fileURLToPath(new URL('../../bulkhead', import.meta.url));
const instance = 'console-panels-test';
const { runtime } = pathsOf(instance);
const directory = temporaryDirectory('panels', undefined, 0o755);
let stage: Stage;

before(async () => {
  stage = await Stage.start();
  // The instance's directory of the host leads to this stage, and so does the program in the PATH.
  rmSync(runtime, { force: true });
  symlinkSync(stage.paths.runtime, runtime);
  const start = `#!/bin/sh\nexec ${program} --instance ${instance} "$@"\n`;
  writeFileSync(`${directory.path}/bulkhead`, start);
  chmodSync(`${directory.path}/bulkhead`, 0o755);
});

after(async () => {
  rmSync(runtime, { force: true });
  await stage[Symbol.asyncDispose]();
  directory.remove();
});

interface Run {
  readonly uid?: number;
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

/** Runs a script as a panel does; undefined if it fails. */
function run(script: string, { uid = 0, args = [], env = {} }: Run): Promise<string | undefined> {
  const file = `${directory.path}/script`;
  writeFileSync(file, script);
  chmodSync(file, 0o755);
  const path = `${directory.path}:${process.env['PATH'] ?? ''}`;
  const environment: NodeJS.ProcessEnv = { PATH: path, ...env };
  const options = { uid, gid: uid, env: environment };
  return new Promise((resolve) => {
    execFile(file, args, options, (error, stdout) => resolve(error === null ? stdout : undefined));
  });
}

/** Follows a link as the browser does. */
async function follow(printed: string | undefined): Promise<ConsoleSessionStart> {
  const [, code] =
    /https:\/\/limits\.example\/#code=([\w-]{43})(?:\r?\n|$)/.exec(printed ?? '') ?? [];
  assert.ok(code, printed ?? 'nothing was printed');
  const reply = await stage.exchange(code);
  assert.equal(reply.status, 200, reply.text);
  return reply.json<ConsoleSessionStart>();
}

const script = (page: string, index = 0): string => {
  const found = blocksOf(page, 'sh')[index];
  assert.ok(found, page);
  return found;
};

for (const [page, first] of [
  ['console-cpanel', /^Status: 302 Found\r\nLocation: .*\r\nCache-Control: no-store\r\n\r\n$/],
  [
    'console-directadmin',
    /^HTTP\/1\.1 302 Found\r\nLocation: .*\r\nCache-Control: no-store\r\n\r\n$/,
  ],
] as const)
  test(`${page}: an account gets its own read-only session, and others none`, async () => {
    const printed = await run(script(page), { uid: uids.bob });
    assert.match(printed ?? '', first);
    const { user, readOnly } = await follow(printed);
    assert.deepEqual([user, readOnly], ['bob', true]);
    assert.equal(await run(script(page), { uid: uids.nobody }), undefined);
  });

test('console-directadmin: as root it opens no session', async () => {
  assert.equal(await run(script('console-directadmin'), { uid: 0 }), undefined);
});

test('console-cpanel: WHM opens a session of whoever is logged in', async () => {
  const whm = script('console-cpanel', 1);
  const of = (user: string) => run(whm, { env: { REMOTE_USER: user } });
  assert.equal((await follow(await of('root'))).user, 'root');
  assert.equal((await follow(await of('acme'))).user, 'acme');
  for (const user of ['', 'mallory', '--json', '-x', 'alice --as root', '$(id)'])
    assert.equal(await of(user), undefined, user);
  assert.equal(await run(whm, {}), undefined);
});

for (const page of ['console-plesk', 'console-hestiacp', 'console-cyberpanel'])
  test(`${page}: root opens a read-only session of an account`, async () => {
    const printed = await run(script(page), { args: ['alice'] });
    const { user, readOnly } = await follow(printed);
    assert.deepEqual([user, readOnly], ['alice', true]);
    for (const args of [
      [],
      [''],
      ['root'],
      ['mallory'],
      ['--json'],
      ['alice', '--as=root'],
      ['alice\nroot'],
    ])
      assert.equal(await run(script(page), { args }), undefined, JSON.stringify(args));
    // A panel that does not run it as root gets nobody else's session.
    assert.equal(await run(script(page), { uid: uids.bob, args: ['alice'] }), undefined);
  });
