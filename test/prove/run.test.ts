/** One attack at a time: a program and its report, its control, and its end. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { suite, test } from 'node:test';
import type { Driver } from '../../src/host/driver.ts';
import { noCounters } from '../../src/limits/limits.ts';
import type { Attack, Stage, Start } from '../../src/prove/core/attack.ts';
import { blocked, through } from '../../src/prove/core/outcome.ts';
import { attackerLimits } from '../../src/prove/core/scratch-policy.ts';
import { withControl } from '../../src/prove/core/verdict.ts';
import { runAttack, type Carrying } from '../../src/prove/io/run-attack.ts';
import { endProcesses } from '../../src/prove/io/end-processes.ts';
import { runProgram, type Launching } from '../../src/prove/io/run-program.ts';
import { suiteDirectory } from '../../testing/temporary-directory.ts';

const root = suiteDirectory('prove-run', '/var/tmp');
const onlyRoot = process.geteuid?.() === 0 ? false : 'only root can become the user of a server';

const driver = { tree: { version: 2, hierarchies: [] } } as unknown as Driver;

const me = { uid: process.geteuid?.() ?? 0, gid: process.getegid?.() ?? 0 };
const stage = {
  uids: {},
  jailed: false,
  landlocked: false,
  limits: attackerLimits,
} as unknown as Stage;
const launching = (signal = new AbortController().signal): Launching => ({
  instance: 'bulkhead-proverun',
  stage,
  server: me,
  signal,
});
const shell = (script: string): Start => ({ program: ['/bin/sh', '-c', script] });

suite('runProgram()', { skip: onlyRoot }, () => {
  test('returns what the program reported and how it ended', async () => {
    const ran = await runProgram('server', shell('echo warning; echo through it'), launching());
    assert.deepEqual(ran.said, { word: 'through', text: 'it' });
    const silent = await runProgram(
      'server',
      shell('echo first >&2; echo second >&2; exit 3'),
      launching(),
    );
    assert.deepEqual([silent.said, silent.ended], [undefined, 'exit status 3, first']);
    const killed = await runProgram('server', shell('kill -9 $$'), launching());
    assert.equal(killed.ended, 'SIGKILL');
    const missing = await runProgram('server', { program: ['/no/such/program'] }, launching());
    assert.match(missing.ended, /^exit status 127, setpriv: failed to execute \/no\/such\/program/);
  });

  test('does not wait until a program that has reported ends', async () => {
    const ran = await runProgram('server', shell('echo refused EPERM; sleep 3600'), launching());
    assert.deepEqual([ran.said?.word, ran.ended], ['refused', 'still running']);
  });

  test('stops when enough was seen, or when the run is aborted', async () => {
    let asked = 0;
    const ran = await runProgram('server', shell('sleep 3600'), launching(), () => ++asked === 3);
    assert.deepEqual([asked, ran.said, ran.ended], [3, undefined, 'still running']);
    const aborted = await runProgram('server', shell('sleep 3600'), launching(AbortSignal.abort()));
    assert.equal(aborted.said, undefined);
  });

  test('reads at most 64 KiB of output, and finds a report before a flood', async () => {
    const flood = shell('echo through first; exec head -c 10000000 /dev/zero');
    assert.deepEqual((await runProgram('server', flood, launching())).said, {
      word: 'through',
      text: 'first',
    });
    const late = shell('head -c 1000000 /dev/zero; echo; echo through late');
    assert.equal((await runProgram('server', late, launching())).said, undefined);
  });

  test('gives a program a plain environment, and descriptor 3 only if leaked', async () => {
    const said = async (start: Start) =>
      (await runProgram('server', start, launching())).said?.text;
    assert.equal(await said(shell('echo "through $PATH $HOME"')), '/usr/sbin:/usr/bin:/sbin:/bin ');
    assert.equal(await said({ ...shell('echo "through $(pwd)"'), cwd: '/usr' }), '/usr');
    const descriptors = 'for each in /proc/self/fd/3; do echo "through $(readlink $each)"; done';
    assert.equal(await said({ ...shell(descriptors), leak: '/usr' }), '/usr');
    assert.notEqual(await said(shell(descriptors)), '/usr');
  });
});

suite('runAttack()', { skip: onlyRoot }, () => {
  const attack: Attack = {
    name: 'test',
    summary: '',
    demandedBy: 'separation',
    remedy: '',
    by: 'server',
    start: () => shell('echo refused EACCES open'),
  };
  const carry = (more: Partial<Attack> = {}, carrying: Partial<Carrying> = {}) =>
    runAttack(
      { ...attack, ...more },
      { ...launching(), driver, neighbourRuns: () => true, ...carrying },
    );
  const through = () => shell('echo through it');

  test('starts nothing when there is an obstacle', async () => {
    const started = join(root, 'started');
    const outcome = await carry({
      obstacle: () => ({ reason: 'no' }),
      start: () => shell(`touch ${started}`),
    });
    assert.deepEqual(outcome, { kind: 'impossible', detail: 'no' });
    assert.equal(existsSync(started), false);
  });

  test('counts a refusal only when the control gets through', async () => {
    assert.equal((await carry()).kind, 'blocked');
    assert.equal((await carry({ control: { by: 'server', start: through } })).kind, 'blocked');
    assert.deepEqual(await carry({ control: { by: 'server', start: attack.start } }), {
      kind: 'impossible',
      detail: 'it does not work without a limit either: refused: EACCES open',
    });
  });

  test('does not start the attack when its preparation failed', async () => {
    const started = join(root, 'started');
    const before = { by: 'server' as const, start: () => shell('echo cannot make a link: EROFS') };
    const outcome = await carry({
      before,
      start: () => shell(`touch ${started}; echo through it`),
    });
    assert.deepEqual(outcome, {
      kind: 'impossible',
      detail: 'it could not be prepared: make a link: EROFS',
    });
    assert.equal(existsSync(started), false);
    assert.equal(
      (await carry({ before: { by: 'server', start: through }, start: through })).kind,
      'through',
    );
  });

  test('is impossible once the neighbour has ended, as everything is then refused', async () => {
    assert.deepEqual(await carry({}, { neighbourRuns: () => false }), {
      kind: 'impossible',
      detail: 'the process of the neighbour has ended',
    });
  });

  test('counts the errors of a jail as refusals for the attacker only', async () => {
    const start = () => shell('echo refused ENOENT open');
    assert.equal((await carry({ start })).kind, 'impossible');
    assert.equal(
      (await carry({ start }, { stage: { ...stage, jailed: true } })).kind,
      'impossible',
    );
    assert.equal((await carry({ start, refusals: ['ENOENT'] })).kind, 'blocked');
  });

  test('makes the detail printable', async () => {
    const outcome = await carry({ start: () => shell("printf 'through a\\033[2Jb\\n'") });
    assert.equal(outcome.detail, 'a\\u{1b}[2Jb');
  });
});

suite('withControl() and endProcesses()', () => {
  test('withControl() quotes the reason why the control failed', () => {
    assert.deepEqual(withControl(blocked('x'), { kind: 'impossible', detail: 'no disk' }), {
      kind: 'impossible',
      detail: 'it does not work without a limit either: no disk',
    });
    assert.deepEqual(withControl(through('y'), blocked('x')), through('y'));
  });

  test('endProcesses() waits until the cgroup counts no process', { skip: onlyRoot }, async () => {
    let rounds = 0;
    const ending = {
      processes: () => (++rounds < 3 ? [1] : []),
      counters: () => ({ ...noCounters, threads: rounds < 5 ? 1 : 0 }),
    } as unknown as Driver;
    assert.equal(await endProcesses(640_099, ending), 0);
    assert.equal(rounds, 5);
    const gone = { processes: () => [], counters: () => undefined } as unknown as Driver;
    assert.equal(await endProcesses(640_099, gone), 0);
  });
});
