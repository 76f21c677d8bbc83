/** `bulkhead console serve` as a service manager starts it, and as root does. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { eventually } from '../../testing/patience.ts';
import { temporaryDirectory } from '../../testing/temporary-directory.ts';
import { ask } from './stage.ts';

const program = fileURLToPath(new URL('../../bulkhead', import.meta.url));
const dropRights = new URL('../../src/console/io/drop-rights.ts', import.meta.url).href;
const nobody = 65534;

test('serves on a socket that it was passed, as an account without rights', async () => {
  using directory = temporaryDirectory('serve', undefined, 0o755);
  const { path } = directory;
  writeFileSync(`${path}/manifest.json`, '{"files":[{"path":"/","file":"index.html"}]}');
  writeFileSync(`${path}/index.html`, '<!doctype html>');
  // It leaves every connection to the other process.
  const holder = createServer((socket) => socket.destroy());
  const socket = `${path}/console.sock`;
  await new Promise<void>((resolve) => holder.listen({ path: socket }, resolve));
  const { fd = -1 } = (holder as unknown as { _handle: { fd?: number } })._handle;
  const args = ['--instance', 'console-serve-test', 'console', 'serve', '--files', path];
  const start = 'LISTEN_PID=$$ LISTEN_FDS=1 exec "$0" "$@"';
  const child = spawn('/bin/sh', ['-c', start, program, ...args], {
    stdio: ['ignore', 'pipe', 'pipe', fd],
    uid: nobody,
    gid: nobody,
    env: { PATH: process.env['PATH'] },
  });
  let printed = '';
  child.stdout?.on('data', (chunk: Buffer) => (printed += chunk.toString()));
  child.stderr?.on('data', (chunk: Buffer) => (printed += chunk.toString()));
  const exited = once(child, 'exit');
  const answer = async (target: string) =>
    eventually(
      `it answers ${target}`,
      async () => {
        assert.equal(child.exitCode, null, printed);
        return ask(socket, target, {
          headers: { host: 'localhost', authorization: `Bearer ${'A'.repeat(43)}` },
        }).catch(() => undefined);
      },
      () => printed,
    );
  const page = await answer('/');
  assert.deepEqual([page.status, page.text], [200, '<!doctype html>']);
  // No agent runs for this instance.
  assert.equal((await answer('/v1/top')).status, 503);
  child.kill('SIGTERM');
  assert.deepEqual(await exited, [0, null], printed);
  // The service manager starts it again for the next visitor.
  assert.ok(existsSync(socket));
  holder.close();
});

/** Runs a script as root, in a process of its own. */
function run(etc: string, user: string) {
  const script = `
    import { readFileSync, readdirSync } from 'node:fs';
    import { dropRights } from '${dropRights}';
    process.setgroups([0, 4]);
    const dropped = dropRights({ etc: '${etc}', proc: '/proc' }, '${user}');
    const tried = (action) => { try { action(); return 'done'; } catch (error) { return error.code; } };
    const status = readFileSync('/proc/self/status', 'utf8');
    console.log(JSON.stringify({
      dropped,
      uids: /^Uid:\\s+(.*)$/m.exec(status)[1],
      gids: /^Gid:\\s+(.*)$/m.exec(status)[1],
      groups: /^Groups:[ \\t]*(.*?)[ \\t]*$/m.exec(status)[1],
      capabilities: /^CapEff:\\s+(.*)$/m.exec(status)[1],
      again: tried(() => process.setuid(0)),
      shadow: tried(() => readFileSync('/etc/shadow')),
      threads: readdirSync('/proc/self/task').length,
    }));`;
  const { stdout, stderr } = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
    encoding: 'utf8',
  });
  assert.notEqual(stdout, '', stderr);
  return JSON.parse(stdout) as {
    readonly dropped: { readonly ok: boolean; readonly error?: { readonly reason: string } };
    readonly uids: string;
    readonly threads: number;
  };
}

test('T9: dropRights() leaves nothing of root, in any thread', () => {
  using directory = temporaryDirectory('etc', undefined, 0o755);
  const etc = `${directory.path}/etc`;
  mkdirSync(etc);
  writeFileSync(
    `${etc}/passwd`,
    'root:x:0:0::/root:/bin/sh\nfront:x:64999:64998::/:/bin/false\nother:x:0:0::/:/bin/sh\n',
  );
  const { threads, ...found } = run(etc, 'front');
  assert.deepEqual(found, {
    dropped: { ok: true },
    uids: '64999\t64999\t64999\t64999',
    gids: '64998\t64998\t64998\t64998',
    groups: '',
    capabilities: '0000000000000000',
    again: 'EPERM',
    shadow: 'EACCES',
  });
  assert.ok(threads > 1);
  for (const user of ['missing', 'other', 'root']) {
    const { dropped, uids } = run(etc, user);
    assert.equal(dropped.ok, false, user);
    assert.equal(uids, '0\t0\t0\t0');
  }
});
