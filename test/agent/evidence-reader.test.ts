/** The processes of tenants, as evidence has them. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { describe, test } from 'node:test';
import { EvidenceReader, type ProcessSet } from '../../src/host/evidence/evidence-reader.ts';
import { commandText, parseStat, parseStatus } from '../../src/host/evidence/process-evidence.ts';
import { readText } from '../../packages/base/io/read.ts';
import { eventually } from '../../testing/patience.ts';

test('parseStat() reads times, also when the name has brackets', () => {
  const clock = { ticksPerSecond: 100, uptimeSeconds: 100 };
  const rest = `S 1 2 3 4 5 6 7 8 9 10 150 50 0 0 20 0 3 0 5000 1 25 0`;
  const times = { cpuSeconds: 2, ageSeconds: 50 };
  assert.deepEqual(parseStat(`42 (php-fpm) ${rest}`, clock), times);
  assert.deepEqual(parseStat(`42 (a) R 9 1 1 1 1 1) ${rest}`, clock), times);
  assert.equal(parseStat('nothing', clock), undefined);
  assert.equal(parseStat('42 (php) S 1', clock), undefined);
});

test('parseStatus() reads a process, and escapes its name', () => {
  const text = (name: string) =>
    `Name:\t${name}\nUmask:\t0022\nState:\tS (sleeping)\nTgid:\t42\nVmRSS:\t     100 kB\nThreads:\t3\n`;
  assert.deepEqual(parseStatus(text('php-fpm')), {
    name: 'php-fpm',
    command: '[php-fpm]',
    state: 'S',
    threads: 3,
    memoryBytes: 100 * 1024,
  });
  assert.equal(parseStatus(text('a\\nState:\\\\\u001b'))?.name, 'a\\u{a}State:\\\\u{1b}');
  assert.equal(parseStatus(text('\rState:\tZ'))?.state, 'S');
  assert.equal(parseStatus('nothing'), undefined);
});

test('commandText() joins arguments to one line, and escapes them', () => {
  assert.equal(
    commandText(Buffer.from('sh\0-c\0a\nb\u001b]0;x\u0007\0')),
    'sh -c a\\u{a}b\\u{1b}]0;x\\u{7}',
  );
  assert.equal(commandText(Buffer.from('\0\0')), undefined);
});

/** Returns children of this process that are alive and have this in their arguments. */
function childrenThat(word: string): readonly number[] {
  return readdirSync('/proc').flatMap((name) => {
    const stat = readText(`/proc/${name}/stat`) ?? '';
    const [state, parent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const isOurs = Number(parent) === process.pid && state !== 'Z';
    return isOurs && (readText(`/proc/${name}/cmdline`) ?? '').includes(word) ? [Number(name)] : [];
  });
}

const setOf = (...pids: readonly number[]): readonly ProcessSet[] => [{ member: 'u1', pids }];

describe('EvidenceReader', () => {
  test('read() returns the use and the command line of processes', async () => {
    using reader = new EvidenceReader('/proc');
    const child = spawn('sleep', ['3600'], { stdio: 'ignore' });
    try {
      await once(child, 'spawn');
      // It is another program until it has called execve.
      await eventually('it runs sleep', () =>
        (readText(`/proc/${child.pid}/cmdline`) ?? '').startsWith('sleep'),
      );
      const found = await reader.read(setOf(child.pid ?? 0, process.pid, 999_999_999), 10);
      assert.deepEqual(found.map((each) => each.pid).sort(), [child.pid, process.pid].sort());
      assert.equal(found.find((each) => each.pid === child.pid)?.command, 'sleep 3600');
      const own = found.find((each) => each.pid === process.pid);
      assert.ok((own?.memoryBytes ?? 0) > 2 ** 20 && (own?.ageSeconds ?? 0) > 0);
    } finally {
      child.kill('SIGKILL');
    }
  });

  test('read() starts another child process when the first one hangs', async () => {
    using reader = new EvidenceReader('/proc');
    const command = async () => (await reader.read(setOf(process.pid), 1))[0]?.command ?? '';
    assert.match(await command(), /evidence-reader\.test/);
    const [child] = childrenThat('evidence/main');
    assert.ok(child !== undefined);
    process.kill(child, 'SIGSTOP');
    assert.match(await command(), /evidence-reader\.test/);
    assert.ok(!childrenThat('evidence/main').includes(child));
  });

  test('read() returns the largest processes', async () => {
    using reader = new EvidenceReader('/proc');
    assert.equal((await reader.read(setOf(1, process.pid), 1)).length, 1);
    assert.deepEqual(await reader.read([], 10), []);
  });
});
