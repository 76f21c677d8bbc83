/**
 * Processes that make whoever reads about them wait for ever, and the evidence: it has everything of
 * other tenants, and of the attacker everything but the files that hang. The attack in C says how.
 */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, copyFileSync, existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { test, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { EvidenceReader, type ProcessSet } from '../../src/host/evidence/evidence-reader.ts';
import { statusValue } from '../../src/sys/processes/process-status.ts';
import { readText } from '../../packages/base/io/read.ts';
import { eventually } from '../../testing/patience.ts';
import type { ProcessEvidence } from '../../src/usage/incident.ts';
import { suiteDirectory } from '../../testing/temporary-directory.ts';

const [attacker, other] = [64_241, 64_242];
const skip = reasonToSkip();
const scratch = suiteDirectory('evidence');
const attack = join(scratch, 'fuse-hang');
/** Open to all, as udev makes it. */
const device = join(scratch, 'fuse');

if (skip === false) {
  chmodSync(scratch, 0o755);
  compile(fileURLToPath(new URL('./fuse-hang.c', import.meta.url)), attack);
  execFileSync('mknod', ['-m', '666', device, 'c', '10', '229']);
}

function reasonToSkip(): string | false {
  if (process.getuid?.() !== 0) return 'only root may become a tenant';
  if (!existsSync('/dev/fuse')) return 'this kernel has no FUSE';
  return existsSync('/usr/bin/gcc') ? false : 'there is no C compiler';
}

function compile(source: string, program: string): void {
  execFileSync('gcc', ['-O2', '-Wall', '-Werror', '-pthread', '-o', program, source]);
}

interface Attack {
  readonly pid: number;
  readonly end: () => void;
}

/** Starts a process in a group of its own, which ends with the test. */
async function start(context: TestContext, uid: number, words: readonly string[]) {
  const [program = '', ...args] = words;
  const child = spawn(program, args, {
    uid,
    gid: uid,
    detached: true,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(child, 'spawn');
  context.after(() => killGroup(child));
  return child;
}

function killGroup({ pid = 0 }: ChildProcess): void {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // All have ended.
  }
}

async function startAttack(
  context: TestContext,
  mode: 'io' | 'cmdline',
  program = attack,
): Promise<Attack> {
  const child = await start(context, attacker, [program, mode, device]);
  for await (const line of createInterface({ input: child.stdout })) {
    const server = /^hangs (\d+)$/.exec(line)?.[1];
    if (server !== undefined) {
      return { pid: child.pid ?? 0, end: () => process.kill(Number(server), 'SIGKILL') };
    }
  }
  throw new Error('the attack has ended');
}

async function startSleep(context: TestContext, uid: number): Promise<number> {
  const { pid = 0 } = await start(context, uid, ['sleep', '600']);
  await eventually('sleep runs', () => readText(`/proc/${pid}/cmdline`) === 'sleep\x00600\x00');
  return pid;
}

const setOf = (uid: number, ...pids: readonly number[]): readonly ProcessSet[] => [
  { member: `u${uid}`, pids },
];

const find = (all: readonly ProcessEvidence[], pid: number): ProcessEvidence => {
  const found = all.find((each) => each.pid === pid);
  assert.ok(found !== undefined, `${pid} is missing`);
  return found;
};

/** Checks the facts that every process has, whatever it does. */
function assertFacts({ name, state, threads, memoryBytes }: ProcessEvidence, called: string): void {
  assert.equal(name, called);
  assert.match(state, /^[RSDT]$/);
  assert.ok(threads >= 1 && memoryBytes > 0);
}

function assertWhole(evidence: ProcessEvidence, called: string, command: string): void {
  assertFacts(evidence, called);
  assert.equal(evidence.command, command);
  for (const key of ['cpuSeconds', 'ageSeconds', 'readBytes', 'writeBytes'] as const) {
    assert.equal(typeof evidence[key], 'number', key);
  }
}

const hungAt = {
  io: ({ readBytes, command }: ProcessEvidence) => {
    assert.equal(readBytes, undefined);
    // It is between two programs, and has no arguments.
    assert.equal(command, '[fuse-hang]');
  },
  cmdline: ({ command, cpuSeconds, readBytes }: ProcessEvidence) => {
    assert.equal(command, '[fuse-hang]');
    assert.ok(cpuSeconds !== undefined && readBytes !== undefined);
  },
};

const afterwards = { io: 'fuse-hang wait', cmdline: `${attack} cmdline ${device}` };

for (const mode of ['io', 'cmdline'] as const) {
  test(
    `a process that hangs reads of its ${mode} hides only its own facts`,
    { skip },
    async (context) => {
      let now = 0;
      using reader = new EvidenceReader('/proc', () => now);
      const hanging = await startAttack(context, mode);
      const ordinary = await startSleep(context, attacker);
      const others = await startSleep(context, other);
      const read = () => reader.read(setOf(attacker, hanging.pid, ordinary), 10);
      // The second time nothing needs to hang again.
      for (let round = 0; round < 2; round++) {
        const [attackers, elses] = await Promise.all([
          read(),
          reader.read(setOf(other, others), 10),
        ]);
        assertWhole(find(elses, others), 'sleep', 'sleep 600');
        assertWhole(find(attackers, ordinary), 'sleep', 'sleep 600');
        assertFacts(find(attackers, hanging.pid), 'fuse-hang');
        hungAt[mode](find(attackers, hanging.pid));
      }
      hanging.end();
      now += 3_600_000;
      if (mode === 'io') {
        await eventually(
          'the attack has executed itself',
          () => readText(`/proc/${hanging.pid}/cmdline`) === 'fuse-hang\0wait\0',
        );
      }
      const name = mode === 'io' ? 'exe' : 'fuse-hang';
      assertWhole(find(await read(), hanging.pid), name, afterwards[mode]);
    },
  );
}

test("a fake php-fpm that hangs reads hides no other tenant's facts", { skip }, async (context) => {
  const program = join(scratch, 'php-fpm8.4');
  copyFileSync(attack, program);
  using reader = new EvidenceReader('/proc');
  const hanging = await startAttack(context, 'cmdline', program);
  const others = await startSleep(context, other);
  const [attackers, elses] = await Promise.all([
    reader.read(setOf(attacker, hanging.pid), 10),
    reader.read(setOf(other, others), 10),
  ]);
  assertWhole(find(elses, others), 'sleep', 'sleep 600');
  const found = find(attackers, hanging.pid);
  assertFacts(found, 'php-fpm8.4');
  assert.deepEqual([found.command, found.request], ['[php-fpm8.4]', undefined]);
});

test(
  "many processes that hang reads hide none of their tenant's other facts",
  { skip },
  async (context) => {
    using reader = new EvidenceReader('/proc');
    const pids: number[] = [];
    for (let count = 0; count < 6; count++) pids.push((await startAttack(context, 'cmdline')).pid);
    const others = await startSleep(context, other);
    const [attackers, elses] = await Promise.all([
      reader.read(setOf(attacker, ...pids), 10),
      reader.read(setOf(other, others), 10),
    ]);
    assertWhole(find(elses, others), 'sleep', 'sleep 600');
    for (const pid of pids) {
      assertFacts(find(attackers, pid), 'fuse-hang');
      assert.equal(find(attackers, pid).command, '[fuse-hang]');
    }
  },
);

test('EvidenceReader counts a process without its first thread', { skip }, async (context) => {
  const source = join(scratch, 'headless.c');
  const program = join(scratch, 'headless');
  writeFileSync(
    source,
    `#include <pthread.h>
     #include <unistd.h>
     static void *rest(void *none) { for (;;) pause(); return none; }
     int main(void) { pthread_t thread; pthread_create(&thread, 0, rest, 0); pthread_exit(0); }`,
  );
  compile(source, program);
  const { pid = 0 } = await start(context, attacker, [program]);
  const state = () => statusValue(readText(`/proc/${pid}/status`) ?? '', 'State')?.[0];
  await eventually('its first thread has exited', () => state() === 'Z');
  using reader = new EvidenceReader('/proc');
  assertFacts(find(await reader.read(setOf(attacker, pid), 10), pid), 'headless');
});

test('EvidenceReader loses no facts when its child is stopped', { skip }, async (context) => {
  using reader = new EvidenceReader('/proc');
  const pid = await startSleep(context, other);
  const read = () => reader.read(setOf(other, pid), 10);
  // The reader is stopped for a while, over and over.
  const whole = read();
  const isRead = () => Promise.race([whole.then(() => true), sleep(50).then(() => false)]);
  await eventually('it is read all the same', async () => {
    if (await isRead()) return true;
    const child = await readerProcess();
    process.kill(child, 'SIGSTOP');
    await Promise.race([whole, sleep(1500)]);
    process.kill(child, 'SIGCONT');
    return false;
  });
  assertWhole(find(await whole, pid), 'sleep', 'sleep 600');
  // The reader is stopped for good.
  const stopped = await readerProcess();
  process.kill(stopped, 'SIGSTOP');
  assertWhole(find(await read(), pid), 'sleep', 'sleep 600');
  assert.notEqual(await readerProcess(), stopped);
  assertWhole(find(await read(), pid), 'sleep', 'sleep 600');
});

/** Returns the child of this process that reads evidence. */
const readerProcess = (): Promise<number> =>
  eventually('a reader of evidence runs', () =>
    readdirSync('/proc')
      .map(Number)
      .filter(Number.isInteger)
      .find((pid) => {
        const status = readText(`/proc/${pid}/status`) ?? '';
        const isOurs = Number(statusValue(status, 'PPid')) === process.pid;
        return isOurs && readText(`/proc/${pid}/cmdline`)?.includes('evidence/main') === true;
      }),
  );
