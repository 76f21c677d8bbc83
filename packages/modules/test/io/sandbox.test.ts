/** Hostile makefiles in the jail. Nothing of them may be seen outside, and nothing may be left. */
import '../../../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { suite, test } from 'node:test';
import { runInJail, type JailOptions, type JailResult } from '../../io/rebuild/sandbox.ts';
import { eventually, patienceMilliseconds } from '../../../../testing/patience.ts';
import { temporaryDirectory } from '../../../../testing/temporary-directory.ts';
import { formatProblem } from '../../../base/problem.ts';
import { makeJailCgroup } from '../../../../src/modules/io/sandbox-cgroup.ts';

/** The cgroup of the command line: only with one does a build end that is stopped while its jail is being made. */
const makeCgroup = makeJailCgroup;
const probe = await runInJail({ command: ['true'], writable: '/build', makeCgroup });
const skip = probe.ok ? false : formatProblem(probe.error);

type Options = Omit<JailOptions, 'command' | 'writable'>;

/** Runs a makefile's only recipe, line by line, each failing for itself. */
async function make(recipe: readonly string[], options: Options = {}): Promise<JailResult> {
  const makefile = `all:\n${recipe.map((line) => `\t-@${line}\n`).join('')}`;
  const result = await runInJail({
    command: ['make', '-f', '-'],
    writable: '/build',
    input: Readable.from([makefile]),
    makeCgroup,
    ...options,
  });
  assert.ok(result.ok, result.ok ? '' : formatProblem(result.error));
  return result.value;
}

/** Returns command lines of all processes of the host that contain the word. */
function processesWith(word: string): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .flatMap((pid) => {
      try {
        const line = readFileSync(`/proc/${pid}/cmdline`, 'utf8');
        return line.includes(word) ? [line] : [];
      } catch {
        return [];
      }
    });
}

async function nothingLeft(word: string): Promise<void> {
  await eventually(
    'no process is left',
    () => processesWith(word).length === 0,
    () => processesWith(word).join('\n'),
  );
}

suite('runInJail()', { skip }, () => {
  test('returns exit status, output lines and the bytes written to descriptor 3', async () => {
    const lines: string[] = [];
    const result = await runInJail({
      command: ['sh', '-c', 'cat; printf "\\033[31mred\\n"; printf result >&3; exit 7'],
      writable: '/build',
      input: Readable.from(['given\n']),
      onLine: (line) => lines.push(line),
    });
    assert.ok(result.ok);
    assert.deepEqual(result.value.end, { kind: 'exit', status: 7 });
    assert.equal(Buffer.from(result.value.result).toString(), 'result');
    assert.equal(lines[0], 'given');
    assert.ok(!lines.join('').includes('\u001b'));
  });

  test('allows no network connection, not even to this host', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    let connections = 0;
    server.on('connection', () => connections++);
    const { port } = server.address() as { port: number };
    const { lastLines } = await make([
      `bash -c 'echo >/dev/tcp/127.0.0.1/${port}' 2>/dev/null && echo connected`,
      'echo tried',
      'cat /proc/net/dev | grep -v "lo:" | grep ": " && echo interface',
    ]);
    server.close();
    assert.equal(connections, 0);
    assert.ok(lastLines.includes('tried'));
    assert.ok(!lastLines.includes('connected') && !lastLines.includes('interface'));
  });

  test('hides host files and environment, and drops root and capabilities', async () => {
    process.env['JAIL_TEST_SECRET'] = 'secret';
    const { lastLines } = await make([
      'cat /etc/shadow /etc/passwd /proc/1/environ 2>/dev/null | grep -a root && echo read',
      'ls /home /root /var /run /sys /work /usr/local 2>/dev/null && echo listed',
      'env | grep -q SECRET && echo environment',
      'echo "user $$(id -u)"',
      'grep -q "CapBnd:.0*$$" /proc/self/status && echo powerless',
      'unshare -Ur true 2>/dev/null && echo namespace',
      'echo end',
    ]);
    delete process.env['JAIL_TEST_SECRET'];
    for (const word of ['read', 'listed', 'environment', 'namespace', 'user 0']) {
      assert.ok(!lastLines.includes(word), word);
    }
    assert.ok(lastLines.includes('powerless') && lastLines.includes('end'));
  });

  test('allows writes only to its own $HOME and /tmp, which are gone afterwards', async () => {
    const name = `bulkhead-jail-${randomUUID()}`;
    const places = ['', '/usr', '/usr/bin', '/usr/lib', '/etc', '/dev', '/dev/shm', '/proc'];
    const { lastLines } = await make([
      ...places.map(
        (place) => `sh -c 'echo x >${place}/${name}' 2>/dev/null && echo "in ${place}"`,
      ),
      `echo x >$$HOME/${name} && echo home`,
      `echo x >/tmp/${name} && echo tmp`,
    ]);
    assert.deepEqual(
      lastLines.filter((line) => !line.startsWith('make')),
      ['home', 'tmp'],
    );
    for (const place of [...places, '/tmp', process.env['HOME'] ?? '/root']) {
      assert.ok(!existsSync(`${place}/${name}`), place);
    }
  });

  test('mounts given directories read-only, even those that only root can reach', async () => {
    using scratch = temporaryDirectory('jail', tmpdir(), 0o755);
    const directory = scratch.path;
    writeFileSync(join(directory, 'file'), 'content');
    const closed = join(directory, 'closed');
    mkdirSync(join(closed, 'open'), { recursive: true });
    writeFileSync(join(closed, 'open/file'), 'reached');
    if (process.getuid?.() === 0) chmodSync(closed, 0o700);
    const mounts = [
      { from: directory, to: '/given' },
      { from: join(closed, 'open'), to: '/usr/lib/bulkhead-new' },
    ];
    const recipe = [
      'cat /given/file; echo',
      'cat /usr/lib/bulkhead-new/file; echo',
      'touch /given/new /usr/lib/bulkhead-new/new 2>/dev/null && echo written',
      'gcc --version >/dev/null 2>&1 || true',
    ];
    const { lastLines } = await make(recipe, { mounts });
    assert.ok(lastLines.includes('content') && lastLines.includes('reached'));
    assert.ok(!lastLines.includes('written'));
  });

  test('blocks signals to processes outside the jail', async () => {
    const { lastLines, end } = await make([
      `kill -9 ${process.pid} 2>/dev/null && echo killed`,
      'sh -c "kill -9 -1" 2>/dev/null; echo alive',
    ]);
    assert.equal(end.kind, 'exit');
    assert.ok(!lastLines.includes('killed'));
  });

  test('runInJail() kills daemons when the command ends', async () => {
    const word = `48${String(process.pid).padStart(8, '0')}`;
    const { end } = await make([
      `setsid -f sleep ${word} >/dev/null 2>&1 </dev/null`,
      `nohup sleep ${word} >/dev/null 2>&1 &`,
    ]);
    assert.deepEqual(end, { kind: 'exit', status: 0 });
    await nothingLeft(word);
  });

  test('runInJail() limits a fork bomb, and kills all of it at the time limit', async () => {
    const word = `bomb${process.pid}`;
    const bomb = `bash -c '${word}() { ${word} | ${word} & }; ${word}; sleep 100' >/dev/null 2>&1`;
    const limits = { wallSeconds: 3, processes: 50 };
    let max = 0;
    const watch = setInterval(() => {
      max = Math.max(max, processesWith(word).length);
    }, 100);
    const { end } = await make([bomb], { limits });
    clearInterval(watch);
    assert.equal(end.kind, 'time');
    assert.ok(max > 0 && max <= 60, `${max} processes`);
    await nothingLeft(word);
  });

  test('runInJail() kills an endless loop at the time limit, and at the CPU limit', async () => {
    const { end } = await make(["sh -c 'while :; do :; done'"], { limits: { wallSeconds: 1 } });
    assert.equal(end.kind, 'time');
    const limited = await make(["sh -c 'while :; do :; done'; echo after"], {
      limits: { wallSeconds: patienceMilliseconds / 1000, cpuSeconds: 1 },
    });
    assert.equal(limited.end.kind, 'exit');
  });

  test("runInJail() kills the command when the caller's AbortSignal fires", async () => {
    const word = `49${String(process.pid).padStart(8, '0')}`;
    const stop = new AbortController();
    const made = make([`sleep ${word}`], { signal: stop.signal });
    await eventually('it runs', () => processesWith(word).length > 0);
    stop.abort();
    const { end } = await made;
    assert.equal(end.kind, 'aborted');
    await nothingLeft(word);
  });

  test('runInJail() aborts at any moment, also while it sets up the jail', async () => {
    for (let milliseconds = 0; milliseconds < 240; milliseconds += 8) {
      const word = `48${String(process.pid).padStart(8, '0')}`;
      const stop = new AbortController();
      setTimeout(() => stop.abort(), milliseconds);
      const { end } = await make([`sleep ${word}`], { signal: stop.signal });
      assert.equal(end.kind, 'aborted');
      await nothingLeft(word);
    }
  });

  test('limits output, result, file size, disk space and memory', async () => {
    const output = await make(['yes'], { limits: { outputBytes: 2 ** 20 } });
    assert.equal(output.end.kind, 'output');
    const result = await make(['cat /dev/zero >&3'], { limits: { resultBytes: 2 ** 20 } });
    assert.equal(result.end.kind, 'result');
    assert.ok(result.result.length <= 2 ** 20);
    const limits = {
      fileBytes: 2 ** 20,
      writableBytes: 3 * 2 ** 20,
      wallSeconds: patienceMilliseconds / 1000,
    };
    const { lastLines } = await make(
      [
        'head -c 2M /dev/zero >big 2>/dev/null; stat -c "big %s" big',
        'for n in 1 2 3 4 5; do head -c 1M /dev/zero >$$n; done 2>/dev/null; du -sm . | cut -f 1',
        'bash -c \'x=$$(head -c 200M /dev/zero | tr "\\\\0" x); echo $${#x}\' 2>/dev/null',
      ],
      { limits: { ...limits, addressSpaceBytes: 128 * 2 ** 20 } },
    );
    assert.ok(lastLines.includes('big 1048576'));
    assert.ok(lastLines.includes('3'));
    assert.ok(!lastLines.some((line) => line.startsWith('2097')), lastLines.join('\n'));
  });
});
