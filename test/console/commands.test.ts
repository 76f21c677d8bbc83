/** The commands of the console as root and tenants run them, with the agent's real sockets. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type {
  ConsoleEndJson,
  ConsoleLoginJson,
  ConsoleLoginsJson,
  ConsoleSessionsJson,
  ConsoleStatusJson,
} from '../../src/console/commands/json.ts';
import { pathsOf } from '../../src/host/paths.ts';
import { jsonOf } from '../../testing/json-output.ts';
import { Stage, uids } from './stage.ts';

const program = fileURLToPath(new URL('../../bulkhead', import.meta.url));
const instance = 'console-commands-test';
const { runtime } = pathsOf(instance);

interface Printed {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

const run = (uid: number, ...args: readonly string[]): Promise<Printed> =>
  new Promise((resolve) => {
    const options = { uid, gid: uid, encoding: 'utf8' } as const;
    const all = ['--instance', instance, 'console', ...args];
    execFile(program, all, options, (error, stdout, stderr) => {
      const code = error === null ? 0 : Number(error.code);
      resolve({ code, stdout, stderr });
    });
  });

test('login, sessions, end and status', async (t) => {
  await using stage = await Stage.start();
  // The instance's directory of the host leads to this stage.
  rmSync(runtime, { force: true });
  symlinkSync(stage.paths.runtime, runtime);
  t.after(() => rmSync(runtime, { force: true }));

  const login = async (uid: number, ...args: readonly string[]) => {
    const printed = await run(uid, 'login', ...args, '--json');
    assert.equal(printed.code, 0, printed.stderr);
    return jsonOf<ConsoleLoginJson>('console login', printed.stdout);
  };
  const { code, path, ...made } = await login(0, '--as', 'alice', '--embed');
  assert.equal(path, `/#code=${code}`);
  const socket = `${runtime}/console.sock`;
  assert.deepEqual(made, { user: 'alice', readOnly: true, expiresInSeconds: 120, socket });
  assert.equal((await stage.exchange(code)).status, 200);
  const own = await login(uids.bob);
  assert.deepEqual([own.user, own.readOnly], ['bob', false]);
  assert.equal((await stage.exchange(own.code)).status, 200);

  const text = await run(uids.bob, 'login');
  assert.match(
    text.stdout,
    /^Login as bob, once, within 2 minutes:\n\n {2}http:\/\/127\.0\.0\.1:8642\/#code=[\w-]{43}\n/,
  );
  assert.match(
    text.stdout,
    /ssh -N -L 127\.0\.0\.1:8642:\/run\/console-commands-test\/console\.sock /,
  );
  assert.match(
    text.stdout,
    /\n\nNothing listens on .*; as root, enable it: bulkhead console enable\n$/,
  );
  const link = await run(uids.bob, 'login', '--embed', '--at', 'https://limits.example:843');
  assert.match(link.stdout, /^https:\/\/limits\.example:843\/#code=[\w-]{43}\n$/);
  for (const at of ['limits.example', 'https://a.example/x', 'javascript:alert(1)'])
    assert.equal((await run(uids.bob, 'login', '--at', at)).code, 2, at);
  const other = await run(uids.bob, 'login', '--as', 'alice');
  assert.equal(other.code, 1);
  assert.match(other.stderr, /there is none with that name that you may see/);
  const stranger = await run(uids.nobody, 'login');
  assert.match(stranger.stderr, /you are not a tenant of this host/);

  const list = async (uid: number) => {
    const printed = await run(uid, 'sessions', '--json');
    return jsonOf<ConsoleSessionsJson>('console sessions', printed.stdout).sessions;
  };
  assert.deepEqual(
    (await list(0)).map(({ user }) => user),
    ['alice', 'bob'],
  );
  const [bobs] = await list(uids.bob);
  assert.ok(bobs);
  const lines = (await run(0, 'sessions')).stdout;
  assert.match(
    lines,
    /^[0-9a-f]{16} {2}alice, by root, read-only, since .*, ends in 120 min without a request$/m,
  );

  const status = async () =>
    jsonOf<ConsoleStatusJson>('console status', (await run(0, 'status', '--json')).stdout);
  assert.deepEqual(await status(), { socket, listening: false, sessions: 2, problem: null });
  writeFileSync(`${stage.paths.etc}/manifest.json`, '{"files":[]}');
  const front = createServer();
  await new Promise<void>((resolve) => front.listen(socket, resolve));
  assert.equal((await status()).listening, true);
  const second = await run(0, 'serve', '--files', stage.paths.etc);
  assert.equal(second.code, 1);
  assert.match(second.stderr, /another program listens on/);
  front.close();

  assert.equal((await run(0, 'end')).code, 2);
  assert.equal((await run(0, 'end', bobs.id, '--all')).code, 2);
  assert.equal((await run(uids.carol, 'end', bobs.id)).code, 1);
  const ended = await run(uids.bob, 'end', bobs.id, '--json');
  assert.deepEqual(jsonOf<ConsoleEndJson>('console end', ended.stdout), { ended: 1 });
  assert.equal((await run(0, 'end', '--all')).stdout, 'Ended 1 session\n');
  assert.equal((await run(0, 'sessions')).stdout, 'No sessions\n');

  const logins = await run(0, 'logins', '--json');
  assert.deepEqual(
    jsonOf<ConsoleLoginsJson>('console logins', logins.stdout).logins.map((each) => [
      each.kind,
      each.user,
      each.by,
    ]),
    [
      ['ended', 'alice', 'root'],
      ['ended', 'bob', 'bob'],
      ['began', 'bob', 'bob'],
      ['began', 'alice', 'root'],
    ],
  );
  const shown = (await run(0, 'logins')).stdout;
  const began =
    /^[-\d]+ [\d:]+ {2}alice \(uid \d+\), by root, read-only: began, session [0-9a-f]{16}$/m;
  assert.match(shown, began);
  assert.equal((await run(uids.bob, 'logins')).code, 1);
  assert.equal((await run(0, 'logins', '--from', 'nonsense')).code, 2);

  await stage.end();
  const away = await run(0, 'status', '--json');
  assert.equal(away.code, 1);
  const { sessions, problem } = jsonOf<ConsoleStatusJson>('console status', away.stdout);
  assert.equal(sessions, null);
  assert.match(problem ?? '', /no agent is running/);
});
