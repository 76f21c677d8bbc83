// Attacks by a hostile tenant: inside its jail, while root builds it, and when root removes it.
import '../../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { lstatSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { after, before, describe, test } from 'node:test';
import { parseStateFile } from '../../../src/jail/core/state-file.ts';
import { readStateFiles } from '../../../src/jail/io/state-files.ts';
import { findOccupants } from '../../../src/jail/io/occupants.ts';
import { canFilter } from '../../../src/jail/io/seccomp.ts';
import type { Jail } from '../../../src/policy/jail.ts';
import { eventually } from '../../../testing/patience.ts';
import { suiteDirectory } from '../../../testing/temporary-directory.ts';
import { JailStage, reasonToSkip } from '../stage.ts';

const skip =
  reasonToSkip() ||
  (canFilter() ? false : 'there is no seccomp filter for this kernel or processor');
const [mallory, racer, victim] = [620_200, 620_201, 620_202] as const;
let stage: JailStage;
const scratch = suiteDirectory('jail-attacks', '/var/tmp', 0o755);

before(async () => {
  if (skip !== false) return;
  stage = new JailStage('attacks');
  await stage.release();
  for (const name of ['escape', 'swap-home']) {
    const source = fileURLToPath(new URL(`${name}.c`, import.meta.url));
    execFileSync('gcc', ['-O2', '-Wall', '-o', `${scratch}/${name}`, source]);
  }
});
after(async () => {
  if (skip !== false) return;
  await stage[Symbol.asyncDispose]();
});

const notBlocked = (output: string) =>
  output.split('\n').filter((line) => line.startsWith('NOT BLOCKED'));

/** Copies the program to the home, since the host's /tmp is not visible, and returns its path. */
function escapeFrom(uid: number): string {
  execFileSync('cp', [`${scratch}/escape`, `${stage.homes}/u${uid}/escape`]);
  return `${stage.homes}/u${uid}/escape`;
}

describe('jail escapes', { skip }, () => {
  for (const profile of ['web', 'shell', 'strict'] satisfies Jail['profile'][]) {
    test(`jail with profile "${profile}" blocks every escape`, async () => {
      await stage.build(stage.tenant(mallory, { profile }));
      const { stdout, status, stderr } = stage.run(mallory, escapeFrom(mallory));
      assert.equal(status, 0, stderr);
      assert.ok(stdout.split('\n').length > 90, stdout);
      assert.deepEqual(notBlocked(stdout), []);
    });
  }

  test('escape program succeeds in many ways outside a jail', () => {
    const command = ['--reuid', `${mallory}`, '--regid', `${mallory}`, '--clear-groups'];
    const options = { encoding: 'utf8' as const, stdio: ['ignore' as const, 'pipe' as const] };
    const { stdout } = spawnSync('setpriv', [...command, `${scratch}/escape`], options);
    assert.ok(notBlocked(stdout).length > 15, stdout);
  });

  test('jail blocks TIOCSTI on a terminal of root', async () => {
    await stage.build(stage.tenant(mallory));
    const command = stage.enterCommand(mallory, escapeFrom(mallory)).map(quote).join(' ');
    const options = { encoding: 'utf8' } as const;
    const { stdout } = spawnSync('script', ['-qec', command, '/dev/null'], options);
    assert.match(stdout, /blocked\s+TIOCSTI: EPERM/);
    assert.deepEqual(notBlocked(stdout), []);
  });

  test('jail ignores setuid copies that root made in the home', async () => {
    const home = `${stage.homes}/u${mallory}`;
    await stage.build(stage.tenant(mallory));
    execFileSync('cp', ['/usr/bin/id', `${home}/id`]);
    // Root does this, which is more than the tenant could do.
    execFileSync('chown', ['root', `${home}/id`]);
    execFileSync('chmod', ['4755', `${home}/id`]);
    assert.equal(stage.see(mallory, `${home}/id -u`), `${mallory}`);
    const su = stage.run(mallory, '/bin/sh', '-c', 'su -c id root </dev/null');
    assert.notEqual(su.status, 0);
    assert.equal(stage.see(mallory, `grep -c 'CapEff:.*[1-9a-f]' /proc/self/status || true`), '0');
  });

  test('jail resolves links out of the home inside the jail', async () => {
    await stage.build(stage.tenant(mallory), stage.tenant(victim));
    writeFileSync(`${stage.homes}/u${victim}/secret`, 'secret');
    const home = `${stage.homes}/u${mallory}`;
    for (const target of [`${stage.homes}/u${victim}/secret`, '/proc/1/root/etc/shadow']) {
      rmSync(`${home}/link`, { force: true });
      execFileSync('ln', ['-s', target, `${home}/link`]);
      assert.notEqual(stage.run(mallory, '/bin/cat', `${home}/link`).status, 0, target);
    }
  });
});

const quote = (word: string) => `'${word.replaceAll("'", String.raw`'\''`)}'`;

test('findOccupants() reports a process of the tenant outside its jail', { skip }, async () => {
  await stage.build(stage.tenant(mallory));
  const ids = ['--reuid', `${mallory}`, '--regid', `${mallory}`, '--clear-groups'];
  const sleeper = spawn('setpriv', [...ids, 'sleep', '3600'], { stdio: 'ignore' });
  try {
    await eventually('it is told of', () =>
      findOccupants(readStateFiles(stage.paths))
        .get(`${mallory}`)
        ?.outside.includes(sleeper.pid ?? 0),
    );
  } finally {
    await kill(sleeper);
  }
});

async function kill(child: ChildProcess): Promise<void> {
  const ended = once(child, 'exit');
  child.kill('SIGKILL');
  await ended;
}

test(
  'jail build never shows another directory when a home is swapped for a link',
  { skip },
  async () => {
    // The directory above the home belongs to the racer, as a reseller's would.
    const above = `${stage.homes}/reseller`;
    const home = `${above}/home`;
    const target = `${stage.homes}/target`;
    for (const directory of [above, home, target]) mkdirSync(directory);
    writeFileSync(`${target}/secret`, '');
    for (const directory of [above, home]) execFileSync('chown', [`${racer}`, directory]);
    const { ino } = lstatSync(target);
    const account = { user: `bhjail${racer}`, uid: racer, gid: racer, home };
    const tenant = { uid: racer, account, jail: { profile: 'web', paths: [] } } as const;
    const ids = ['--reuid', `${racer}`, '--regid', `${racer}`, '--clear-groups'];
    const swap = [`${scratch}/swap-home`, home, `${above}/aside`, target];
    const swapper = spawn('setpriv', [...ids, ...swap], { stdio: 'ignore' });
    const seen = { ready: 0, failed: 0 };
    try {
      for (let round = 0; round < 12; round++) {
        // Something else each time, so that it is built each time.
        const profile = round % 2 === 0 ? 'web' : 'shell';
        await stage.build({ ...tenant, jail: { profile, paths: [] } });
        const { state } = parseStateFile(stage.stateText(racer));
        if (state !== 'ready') {
          seen.failed++;
          continue;
        }
        seen.ready++;
        const inside = stage.see(racer, `stat -c %i ${home} 2>/dev/null || echo absent`);
        assert.notEqual(inside, `${ino}`);
        assert.equal(stage.see(racer, `ls ${home} | grep -c secret || true`), '0');
      }
    } finally {
      await kill(swapper);
    }
    assert.equal(seen.ready + seen.failed, 12);
  },
);

test('jail removal deletes whatever is in its /tmp, and follows no link', { skip }, async () => {
  await stage.build(stage.tenant(victim), stage.tenant(mallory));
  writeFileSync(`${stage.homes}/u${victim}/kept`, '');
  const script = [
    'cd /tmp; mkdir deep; cd deep; for i in $(seq 200); do mkdir d; cd d; done',
    `ln -s ${stage.homes}/u${victim} /tmp/link; ln -s / /var/tmp/root`,
    `touch '/tmp/-rf' '/tmp/a b' "/tmp/$(printf 'new\nline')"; mkdir -m 0 /tmp/closed; mkfifo /tmp/fifo`,
  ].join('; ');
  stage.see(mallory, script);
  const dropped = await stage.build(stage.tenant(victim));
  assert.deepEqual(dropped.problems, []);
  assert.ok(lstatSync(`${stage.homes}/u${victim}/kept`).isFile());
});

test('jail build refuses a directory for /tmp that others can write', { skip }, async () => {
  await stage.release();
  const { temporary } = stage.paths;
  mkdirSync(temporary, { recursive: true });
  execFileSync('chown', [`${mallory}`, temporary]);
  try {
    const built = await stage.build(stage.tenant(mallory));
    assert.match(
      built.problems.map(({ reason }) => reason).join(),
      /others than root can change it/,
    );
    assert.equal(parseStateFile(stage.stateText(mallory)).state, 'failed');
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
});
