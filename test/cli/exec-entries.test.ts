/** `bulkhead exec --entry` on the real kernel, for a uid without an account. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import {
  execFileSync,
  spawn,
  spawnSync,
  type ChildProcess,
  type SpawnSyncReturns,
  type StdioOptions,
} from 'node:child_process';
import { once } from 'node:events';
import * as fs from 'node:fs';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { eventually, patienceMilliseconds } from '../../testing/patience.ts';
import { formatEntrySlots } from '../../src/host/entry-slots.ts';
import { HangingProcess, skip as noAttack } from '../attacks/hanging-process.ts';
import { findTree, launchText, removeCgroup } from './launch-stage.ts';
import { compileExec } from '../../scripts/entry.ts';

const launcher = compileExec();
const instance = `bulkhead-entrytest-${process.pid}`;
const uid = 7_000_100;
const account = String(uid);
const tree = findTree(instance);

function reasonToSkip(): string | false {
  if (process.getuid?.() !== 0) return 'needs root';
  return tree.roots.length === 0 && 'needs cgroups';
}

type Options = {
  readonly stdio?: StdioOptions;
  readonly prefix?: readonly string[];
  readonly options?: readonly string[];
};

function launch(
  tenant: string,
  command: readonly string[],
  given: Options = {},
): SpawnSyncReturns<string> {
  const { prefix = [], options = [], ...rest } = given;
  const own = [launcher, '--instance', instance, ...options, tenant, '--', ...command];
  const [program, ...args] = [...prefix, ...own] as [string, ...string[]];
  return spawnSync(program, args, { encoding: 'utf8', timeout: patienceMilliseconds, ...rest });
}

function assertRefused(result: SpawnSyncReturns<string>, message: RegExp, status = 1): void {
  assert.match(result.stderr, message);
  assert.equal(result.status, status);
  assert.equal(result.stdout, '');
}

describe('bulkhead exec --entry', { skip: reasonToSkip() }, () => {
  before(() => {
    for (const root of tree.roots) fs.mkdirSync(`${root}/u${uid}`, { recursive: true });
    fs.mkdirSync(`/run/${instance}`);
    fs.writeFileSync(`/run/${instance}/launch`, launchText(tree));
  });
  after(() => {
    for (const root of tree.roots) removeCgroup(root);
    fs.rmSync(`/run/${instance}`, { recursive: true, force: true });
  });

  entries();
});

const slots = () => `/run/${instance}/entries/${uid}`;

/** Writes a limit as apply does. */
function limitEntries(limit: number, reseller?: number, directory = slots()): void {
  fs.mkdirSync(directory, { recursive: true, mode: 0o700 });
  const text = formatEntrySlots({ limit, ...(reseller === undefined ? {} : { reseller }) });
  fs.writeFileSync(`${directory}/limit`, text);
}

/** Starts a script in an entry, and returns once it has printed "entered", with the output until then. */
async function enter(
  script: string,
  options: readonly string[],
): Promise<{ readonly child: ChildProcess; readonly printed: string }> {
  const own = ['--instance', instance, '--entry', ...options, account, '--'];
  const child = spawn(launcher, [...own, 'sh', '-c', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let printed = '';
  child.stdout.on('data', (data: Buffer) => (printed += data.toString()));
  await eventually('it runs', () => printed.includes('entered') || child.exitCode !== null);
  assert.match(printed, /entered/);
  return { child, printed };
}

const stateOf = (pid: number) =>
  /\) ([A-Z]) [^)]*$/.exec(fs.readFileSync(`/proc/${pid}/stat`, 'utf8'))?.[1];

async function end(child: ChildProcess, signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill(signal);
  await exited;
}

async function endWithChildren(child: ChildProcess): Promise<void> {
  const children = fs.readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8');
  for (const pid of children.trim().split(' ').filter(Boolean))
    process.kill(Number(pid), 'SIGKILL');
  await end(child);
}

function entries(): void {
  const options = { options: ['--entry'] };
  const running: ChildProcess[] = [];
  const started = async (
    script = 'echo entered; exec sleep 3600',
    more: readonly string[] = [],
  ) => {
    const { child, printed } = await enter(script, more);
    running.push(child);
    return Object.assign(child, { printed });
  };
  const assertFull = () =>
    assertRefused(
      launch(account, ['id'], options),
      /^bulkhead: Cannot start "id" as ".*": all \d+ of its entries are in use; try again later, or raise entries limit$/m,
      75,
    );
  const assertFree = () => assert.equal(launch(account, ['true'], options).status, 0);
  beforeEach(() => limitEntries(2));
  afterEach(async () => {
    for (const child of running.splice(0)) await end(child);
    fs.rmSync(slots(), { recursive: true, force: true });
  });

  test('runs as many at once as the limit allows, and exits with 75 for the next', async () => {
    await started();
    assertFree();
    await started();
    assertFull();
    assert.equal(launch(account, ['true']).status, 0);
    limitEntries(3);
    assertFree();
  });

  test('frees a slot however its process ends', async () => {
    for (const signal of ['SIGKILL', 'SIGTERM', 'SIGSEGV'] as const) {
      await started();
      const child = await started();
      assertFull();
      await end(child, signal);
      assertFree();
      for (const each of running.splice(0)) await end(each);
    }
    for (const command of ['false', 'no-such-command', '/etc/passwd'])
      for (let times = 0; times < 3; times++) launch(account, [command], options);
    assertFree();
  });

  test('counts running processes above a limit that was lowered', async () => {
    limitEntries(4);
    const [first] = [await started(), await started(), await started(), await started()];
    limitEntries(2);
    await end(first);
    assertFull();
    await end(running[1]!);
    assertFull();
    await end(running[3]!);
    assertFree();
  });

  test('keeps a slot through exec and under any process name', async (t) => {
    if (!fs.existsSync('/usr/bin/perl')) return t.skip('perl is not installed');
    limitEntries(1);
    for (const name of [') Z 0', '\\n1 (x) Z 1', 'x) 1 1 1 1', '']) {
      // $0 sets the name of the process, too.
      await started(`exec perl -e '$| = 1; $0 = "${name}"; print "entered"; sleep 3600'`);
      assertFull();
      for (const each of running.splice(0)) await end(each);
      assertFree();
    }
  });

  test('keeps the slot of a process whose first thread has ended', async (t) => {
    if (!fs.existsSync('/usr/bin/gcc')) return t.skip('there is no C compiler');
    limitEntries(1);
    const source = new URL('../attacks/leader-exits.c', import.meta.url).pathname;
    const program = `/run/${instance}/leader-exits`;
    execFileSync('gcc', ['-O2', '-pthread', '-static', '-o', program, source]);
    const child = await started(`exec ${program}`);
    await eventually('its first thread has ended', () => stateOf(child.pid!) === 'Z');
    assertFull();
    await end(child);
    assertFree();
  });

  test('frees the slot of a zombie', async () => {
    limitEntries(1);
    const own = [launcher, '--instance', instance, '--entry', account, '--', 'true'];
    // A shell would wait for it, if it ends before the shell has become something else.
    const script = '$| = 1; my $pid = fork // die; exec @ARGV if !$pid; print $pid; sleep 3600';
    const parent = spawn('perl', ['-e', script, '--', ...own], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    running.push(parent);
    const [pid] = (await once(parent.stdout, 'data')) as [Buffer];
    await eventually('it has ended', () => stateOf(Number(pid.toString())) === 'Z');
    assertFree();
  });

  test('leaves neither the lock nor a slot open for the tenant', async () => {
    const script = 'ls -l /proc/$$/fd; echo entered; exec sleep 3600';
    const { printed } = await started(script, ['--keep-fds']);
    assert.match(printed, / -> /);
    assert.doesNotMatch(printed, /entries/);
    assert.notEqual(launch(account, ['ls', slots()]).status, 0);
  });

  test('keeps descriptor 9 of the caller with --keep-fds', () => {
    const stdio: StdioOptions = Array.from({ length: 10 }, () => 'pipe');
    const given = { ...options, options: ['--entry', '--keep-fds'], stdio };
    const { stdout } = launch(account, ['sh', '-c', 'readlink /proc/$$/fd/9'], given);
    assert.match(stdout, /^socket:/);
  });

  test('makes concurrent commands wait for the lock in turn', async () => {
    limitEntries(1);
    fs.writeFileSync(`${slots()}/lock`, '');
    const holder = spawn('flock', [`${slots()}/lock`, 'sh', '-c', 'echo held; exec sleep 3600'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    running.push(holder);
    await once(holder.stdout, 'data');
    const { ino } = fs.statSync(`${slots()}/lock`);
    const waiting = () =>
      fs
        .readFileSync('/proc/locks', 'utf8')
        .split('\n')
        .filter((line) => line.includes('->') && line.includes(`:${ino} `)).length;
    let printed = '';
    for (let each = 0; each < 2; each++) {
      const own = [launcher, '--instance', instance, '--entry', account, '--', 'sh', '-c'];
      const words = [...own, 'echo entered; exec sleep 3600'];
      const child = spawn(words[0]!, words.slice(1), { stdio: ['ignore', 'pipe', 'pipe'] });
      running.push(child);
      for (const stream of [child.stdout, child.stderr])
        stream.on('data', (data: Buffer) => (printed += data.toString()));
    }
    await eventually('both wait', () => waiting() === 2 || printed !== '');
    assert.equal(printed, '');
    // The shell that flock started has the lock, too, and then became sleep.
    await endWithChildren(holder);
    await eventually('both are done', () => printed.split('\n').length > 2);
    assert.equal(printed.match(/^entered$/gm)?.length, 1);
    assert.equal(printed.match(/all 1 of its entries/g)?.length, 1);
  });

  test('runs 3 of 12 that start at once with a limit of 3', async () => {
    limitEntries(3);
    const own = [launcher, '--instance', instance, '--entry', account, '--'];
    const wait = ['sh', '-c', 'echo entered; exec sleep 3600'];
    const script = `for n in 1 2 3 4 5 6 7 8 9 10 11 12; do "$@" & done; wait`;
    // A killed process may be a parent of others, so a whole group is killed.
    const child = spawn('setsid', ['sh', '-c', script, 'sh', ...own, ...wait], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const pids: number[] = [];
    try {
      const seen = { entered: 0, refused: 0 };
      child.stdout.on('data', (data: Buffer) => {
        seen.entered += data.toString().split('\n').length - 1;
      });
      child.stderr.on('data', (data: Buffer) => {
        seen.refused += data.toString().split('all 3 of its entries').length - 1;
      });
      await eventually('all started or refused', () => seen.entered + seen.refused === 12);
      assert.equal(seen.entered, 3);
    } finally {
      for (const name of fs.readdirSync(slots()).filter((each) => /^\d+$/.test(each)))
        pids.push(Number(fs.readFileSync(`${slots()}/${name}`, 'utf8').split(' ')[0]));
      for (const pid of pids) process.kill(pid, 'SIGKILL');
      await once(child, 'exit');
    }
  });

  test('frees a slot when another process has the number of the ended one', () => {
    limitEntries(1);
    for (const content of [`${process.pid} 1`, '', 'x y', '-1 1', '0 0', '1', '99999999 5']) {
      fs.writeFileSync(`${slots()}/1`, content === '' ? '' : `${content}\n`);
      assertFree();
    }
  });

  test('starts nothing when the limit is damaged or slots cannot be written', () => {
    const whole = formatEntrySlots({ limit: 1 });
    for (const text of [
      '',
      '1\n',
      whole.slice(0, -1),
      whole.replace('limit 1', 'limit 0'),
      whole.replace('limit 1', 'limit x'),
      whole.replace('entries 1', 'entries 2'),
      whole.replace('entries', 'launch'),
      `${whole}\0`,
      whole.replace('end', 'reseller ../1\nend'),
    ]) {
      fs.writeFileSync(`${slots()}/limit`, text);
      assertRefused(
        launch(account, ['id'], options),
        /^bulkhead: Cannot use .*\/limit: .*; run bulkhead apply$/m,
      );
    }
    limitEntries(1);
    fs.mkdirSync(`${slots()}/lock`);
    assertRefused(launch(account, ['id'], options), /cannot be locked or written/);
    fs.rmdirSync(`${slots()}/lock`);
    fs.mkdirSync(`${slots()}/1`);
    assertRefused(launch(account, ['id'], options), /cannot be locked or written/);
  });

  test('reports a refused command to the agent, and works without one', async (t) => {
    if (!fs.existsSync('/usr/bin/perl')) return t.skip('perl is not installed');
    limitEntries(1);
    await started();
    const socket = `/run/${instance}/web.sock`;
    const listen =
      'use Socket; socket(S, AF_UNIX, SOCK_DGRAM, 0) or die; bind(S, sockaddr_un($ARGV[0])) or die; $| = 1; print "ready\\n"; while (sysread(S, my $text, 4096)) { print "$text\\n" }';
    const agent = spawn('perl', ['-e', listen, socket], { stdio: ['ignore', 'pipe', 'inherit'] });
    running.push(agent);
    let told = '';
    agent.stdout.on('data', (data: Buffer) => (told += data.toString()));
    await eventually('it listens', () => told.includes('ready'));
    assertFull();
    launch(account, ['a "b" \\'], options);
    await eventually('it is told of both', () => told.split('\n').length >= 4);
    const texts = told
      .split('\n')
      .slice(1, 3)
      .map((line) => line.slice(line.indexOf('{')));
    assert.deepEqual(
      texts.map((text) => JSON.parse(text) as unknown),
      ['id', ''].map((url) => ({
        owner: account,
        of: `u${account}`,
        site: '',
        client: '',
        method: 'exec',
        url,
      })),
    );
    // Nobody takes it any more, or it cannot be sent at all.
    await end(agent);
    assertFull();
    fs.rmSync(socket);
    assertFull();
  });

  test("counts a site's and a reseller's slots, and frees all when one is refused", async () => {
    const directory = `/run/${instance}/entries`;
    const site = 'shop.example';
    for (const root of tree.roots) fs.mkdirSync(`${root}/u${uid}/s-${site}`, { recursive: true });
    const reseller = 7_000_199;
    limitEntries(1, undefined, `${directory}/${uid}-${site}`);
    limitEntries(3, undefined, `${directory}/r${reseller}`);
    limitEntries(2, reseller);
    const inSite = { options: ['--entry', '--site', site] };
    const refusedWith = (given: Options, words: RegExp) =>
      assertRefused(launch(account, ['id'], given), words, 75);
    const first = await started(undefined, ['--site', site]);
    refusedWith(inSite, /all 1 entries of its site "shop\.example" are in use/);
    assertFree();
    await started();
    refusedWith(options, /all 2 of its entries are in use/);
    await end(first);
    limitEntries(9, reseller);
    await started();
    await started();
    // A command that the reseller's limit refuses releases the slots of the site and the tenant.
    refusedWith(inSite, /all 3 entries of its reseller are in use/);
    limitEntries(9);
    assert.equal(launch(account, ['true'], inSite).status, 0);
    for (const name of [`${uid}-${site}`, `r${reseller}`])
      fs.rmSync(`${directory}/${name}`, { recursive: true });
    for (const root of tree.roots) fs.rmdirSync(`${root}/u${uid}/s-${site}`);
  });

  test(
    'takes one slot of the reseller for a process that blocks its readers',
    { skip: noAttack },
    async () => {
      const reseller = 7_000_199;
      const directory = `/run/${instance}/entries/r${reseller}`;
      limitEntries(2, undefined, directory);
      // Only the reseller's entries are limited.
      fs.mkdirSync(slots(), { recursive: true });
      fs.writeFileSync(`${slots()}/limit`, formatEntrySlots({ limit: undefined, reseller }));
      using hostile = await HangingProcess.start(uid + 1);
      fs.writeFileSync(`${directory}/1`, `${hostile.hanging} 1\n`);
      // The second time it is known.
      for (let round = 0; round < 2; round++)
        assert.equal(launch(account, ['true'], options).status, 0);
      limitEntries(1, undefined, directory);
      assertRefused(launch(account, ['id'], options), /entries of its reseller are in use/, 75);
      fs.rmSync(directory, { recursive: true });
    },
  );

  test(
    'frees the lock when it is killed while it looks at a process that blocks its readers',
    { skip: noAttack },
    async () => {
      using hostile = await HangingProcess.start(uid + 1);
      fs.writeFileSync(`${slots()}/1`, `${hostile.hanging} 1\n`);
      const own = ['--instance', instance, '--entry', account, '--', 'true'];
      const child = spawn(launcher, own, { stdio: 'ignore' });
      running.push(child);
      const readers = `/proc/${child.pid}/task/${child.pid}/children`;
      await eventually(
        'another process looks',
        () => child.exitCode !== null || fs.readFileSync(readers, 'utf8') !== '',
      );
      await end(child);
      assertFree();
    },
  );

  test('refuses links in place of its directories', () => {
    for (const path of [slots(), `/run/${instance}/entries`]) {
      fs.renameSync(path, `${path}.aside`);
      fs.symlinkSync(`${path}.aside`, path);
      assertRefused(launch(account, ['id'], options), /Cannot use .*a link is in its place/);
      fs.rmSync(path);
      fs.renameSync(`${path}.aside`, path);
    }
  });

  test('needs no slot when the tenant has no entry limit', () => {
    fs.rmSync(slots(), { recursive: true });
    assertFree();
    assert.ok(!fs.existsSync(slots()));
  });
}
