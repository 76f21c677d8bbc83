/**
 * Processes that say to be php-fpm and have much memory like a scoreboard: root reads of it only so much, and others' requests
 * are known all the same. The attack in C says how.
 */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { EvidenceReader } from '../../src/host/evidence/evidence-reader.ts';
import { suiteDirectory } from '../../testing/temporary-directory.ts';

const [attacker, other] = [64_243, 64_244];
const skip =
  process.getuid?.() !== 0
    ? 'only root reads the memory of others'
    : !existsSync('/usr/bin/gcc') && 'there is no C compiler';
const scratch = suiteDirectory('scoreboard');
const attack = join(scratch, 'scoreboard');
if (skip === false) {
  chmodSync(scratch, 0o755);
  const source = fileURLToPath(new URL('./scoreboard.c', import.meta.url));
  execFileSync('gcc', ['-O2', '-Wall', '-Werror', '-o', attack, source]);
}

async function start(context: TestContext, uid: number, slots: number): Promise<number> {
  const child: ChildProcess = spawn(attack, [`${slots}`], {
    uid,
    gid: uid,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  context.after(() => child.kill('SIGKILL'));
  assert.ok(child.stdout);
  await once(child.stdout, 'data');
  return child.pid ?? 0;
}

const starting = (context: TestContext, count: number, slots: number) =>
  Promise.all(Array.from({ length: count }, () => start(context, attacker, slots)));

test(
  "EvidenceReader bounds its reads of fake scoreboards, and not other tenants'",
  { skip },
  async (context) => {
    const pids = await starting(context, 12, 0);
    const pid = await start(context, other, 0);
    using reader = new EvidenceReader('/proc');
    const [hostile, honest] = await Promise.all([
      reader.read([{ member: `u${attacker}`, pids }], 50),
      reader.read([{ member: `u${other}`, pids: [pid] }], 50),
    ]);
    assert.equal(hostile.length, pids.length);
    // Four times 4 MiB of each.
    assert.equal(hostile.filter(({ request }) => request !== undefined).length, 4);
    assert.equal(honest[0]?.request?.path, '/a.php');
  },
);

test(
  'EvidenceReader stops its search in a board that is full of the process id',
  { skip },
  async (context) => {
    const [few = 0] = await starting(context, 1, 500);
    const [many = 0] = await starting(context, 1, 4000);
    using reader = new EvidenceReader('/proc');
    const found = await reader.read([{ member: `u${attacker}`, pids: [few, many] }], 50);
    const pathOf = (pid: number) => found.find((each) => each.pid === pid)?.request?.path;
    assert.deepEqual([pathOf(few), pathOf(many)], ['/a.php', undefined]);
  },
);
