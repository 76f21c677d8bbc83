/**
 * Tenants who want to keep what root takes from them, or to stop the division for everybody: they kill and stop checks,
 * remove directories, and make php-fpm wait. The real php-fpm reads each configuration; none is started.
 */
import '../../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { execFileSync, spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { eventually } from '../../../testing/patience.ts';
import { readFpmInputs } from '../../../src/web/io/fpm/inputs.ts';
import { compileFpm } from '../../../scripts/entry.ts';
import { fpm, FpmStage, skip, tenants } from './stage.ts';

if (skip === false) compileFpm();

const { alice, bob, carol } = tenants;

/** Signals whatever of its user's has php-fpm -tt in its arguments, as fast as it can, and counts in a file. */
const killer = String.raw`use strict; my ($uid, $signal, $file) = @ARGV;
$) = "$uid $uid"; $( = $uid; $< = $uid; $> = $uid; my $hits = 0;
for (;;) { for my $at (glob '/proc/[0-9]*') {
  open my $f, '<', "$at/cmdline" or next; my $args = <$f> // ''; $args =~ tr/\0/ /;
  next unless $args =~ /php-fpm\S* -tt/;
  next unless kill $signal, substr $at, 6;
  open my $o, '>', $file; print $o ++$hits; } }`;

class Killer implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #file: string;

  constructor(stage: FpmStage, uid: number, signal: string) {
    this.#file = `${stage.home(uid)}/hits`;
    this.#child = spawn('perl', ['-e', killer, `${uid}`, signal, this.#file], { stdio: 'ignore' });
  }

  get hits(): number {
    return existsSync(this.#file) ? Number(readFileSync(this.#file, 'utf8')) : 0;
  }

  /** Checks that the attack hits processes of its own user, as a check as the tenant would be. */
  async hitsItsOwn(stage: FpmStage, uid: number): Promise<void> {
    await eventually('it hits a process of its own user', () => {
      const args = [`--reuid=${uid}`, `--regid=${uid}`, '--clear-groups', '--'];
      const check = [fpm.program, '-tt', '--fpm-config', stage.main];
      spawnSync('timeout', ['-s', 'KILL', '5', 'setpriv', ...args, ...check], { stdio: 'ignore' });
      return this.hits > 0;
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill('SIGKILL');
    if (this.#child.exitCode === null && this.#child.signalCode === null)
      await once(this.#child, 'exit');
  }
}

const stem = `bulkhead-fpm${fpm.php.replace('.', '')}`;
const service = (uid: number) => `${stem}@${uid}.service`;
const socket = (uid: number, pool: string) => `${stem}@${uid}:${pool}.socket`;
const configOf = (stage: FpmStage, uid: number) =>
  readFileSync(`${stage.context().layout.directory}/${uid}.conf`, 'utf8');

for (const signal of ['KILL', 'STOP'])
  test(
    `web fpm applies root's changes while a tenant sends SIG${signal} to its checks`,
    { skip },
    async () => {
      using stage = new FpmStage();
      stage.write('shop', stage.pool('shop', alice));
      stage.write('blog', stage.pool('blog', alice));
      stage.write('bob', stage.pool('bob', bob));
      assert.deepEqual((await stage.divide()).refused, []);
      await using attack = new Killer(stage, alice, signal);
      await attack.hitsItsOwn(stage, alice);
      stage.entries.set(alice, 4);
      for (let round = 0; round < 3; round++) {
        const [now, other] = round % 2 === 0 ? [bob, alice] : [alice, bob];
        stage.write('shop', stage.pool('shop', now));
        stage.write('blog', stage.pool('blog', alice).replace('= 10', `= ${5 - round}`));
        const { refused, units } = await stage.divide();
        assert.deepEqual(refused, []);
        assert.ok(units.includes(socket(now, 'shop')) && !units.includes(socket(other, 'shop')));
        assert.match(configOf(stage, alice), new RegExp(`^pm\\.max_children = ${5 - round}$`, 'm'));
        assert.match(configOf(stage, alice), /^process\.max = 4$/m);
      }
    },
  );

test(
  "web fpm applies root's changes when a tenant breaks her own configuration",
  { skip },
  async () => {
    using stage = new FpmStage();
    const app = `${stage.home(alice)}/app`;
    mkdirSync(app);
    const dynamic =
      'pm.start_servers = 3\npm.min_spare_servers = 2\npm.max_spare_servers = 8\nphp_admin_value[memory_limit] = 64M\n';
    const blog = stage.pool('blog', alice, dynamic).replace('ondemand', 'dynamic');
    stage.write('shop', stage.pool('shop', alice));
    stage.write('gone', stage.pool('gone', alice));
    stage.write('blog', blog);
    stage.write('app', stage.pool('app', alice, `chdir = ${app}\n`));
    stage.write('bob', stage.pool('bob', bob));
    assert.deepEqual((await stage.divide()).refused, []);

    rmdirSync(app);
    stage.write('shop', stage.pool('shop', bob));
    stage.remove('gone');
    stage.write('blog', blog.replace('= 10', '= 5').replace('= 8', '= 4'));
    stage.entries.set(alice, 4);
    stage.write('new', stage.pool('new', carol));
    for (let round = 0; round < 2; round++) {
      const { refused, units } = await stage.divide();
      assert.equal(refused.length, 1);
      assert.match(refused[0]?.reason ?? '', /app\.conf.*\[pool app\] the chdir path/);
      assert.deepEqual(
        units,
        [
          socket(alice, 'app'),
          socket(alice, 'blog'),
          service(alice),
          socket(bob, 'bob'),
          socket(bob, 'shop'),
          service(bob),
          socket(carol, 'new'),
          service(carol),
        ].sort(),
      );
      const text = configOf(stage, alice);
      assert.doesNotMatch(text, /^\[(shop|gone)\]/m);
      assert.match(text, /^process\.max = 4$/m);
      assert.match(text, /^pm\.max_children = 5 ; lowered\npm\.max_spare_servers = 5 ; lowered$/m);
      assert.equal(text.match(/; lowered$/gm)?.length, 2, text);
      // php-fpm takes what is left, as soon as the directory is there again.
      mkdirSync(app);
      const path = `${stage.at}/left.conf`;
      execFileSync('cp', [`${stage.context().layout.directory}/${alice}.conf`, path]);
      const asked = spawnSync(fpm.program, ['-tt', '--fpm-config', path], { encoding: 'utf8' });
      assert.equal(asked.status, 0, asked.stderr);
      assert.match(asked.stderr, /pm\.max_children = 5$/m);
      rmdirSync(app);
    }
    // After the repair, root's files apply again.
    mkdirSync(app);
    assert.deepEqual((await stage.divide()).refused, []);
    assert.doesNotMatch(configOf(stage, alice), /lowered/);
  },
);

test(
  'web fpm removes a broken pool from its old tenant when root gives it to another',
  { skip },
  async () => {
    using stage = new FpmStage();
    const app = `${stage.home(alice)}/app`;
    mkdirSync(app);
    stage.write('app', stage.pool('app', alice, `chdir = ${app}\n`));
    stage.write('blog', stage.pool('blog', alice));
    await stage.divide();
    stage.write('app', stage.pool('app', bob, `chdir = ${app}\n`));
    rmdirSync(app);
    const { refused, units } = await stage.divide();
    assert.deepEqual(
      refused.map(({ user }) => user),
      ['bob'],
    );
    assert.deepEqual(units, [socket(alice, 'blog'), service(alice)].sort());
  },
);

test('web fpm serves other tenants when one breaks its pools', { skip }, async () => {
  using stage = new FpmStage();
  const ways = ['chdir', 'chroot', 'slowlog', 'access.log'];
  for (const way of ways) {
    const directory = `${stage.home(carol)}/${way}`;
    mkdirSync(directory);
    const more = way.endsWith('log') ? `${directory}/it` : directory;
    const slow = way === 'slowlog' ? 'request_slowlog_timeout = 5s\n' : '';
    stage.write(way, stage.pool(way.replace('.', ''), carol, `${way} = ${more}\n${slow}`));
  }
  stage.write('alice', stage.pool('alice', alice));
  stage.write('gone', stage.pool('gone', 0).replace('user = 0', 'user = nosuchaccount'));
  for (const way of ways) {
    rmSync(`${stage.home(carol)}/${way}`, { recursive: true });
    const { refused, units, split } = await stage.divide();
    assert.deepEqual(
      refused.map(({ user }) => user),
      [...new Set(['carol', 'nosuchaccount'])],
      way,
    );
    assert.deepEqual(units, [socket(alice, 'alice'), service(alice)].sort());
    assert.ok(!split.keptFiles.some(({ path }) => path.endsWith(`/${way}.conf`)), way);
  }
});

test('web fpm waits only once for a log that never opens', { skip }, async () => {
  using stage = new FpmStage();
  const log = `${stage.home(carol)}/slow.log`;
  execFileSync('mkfifo', [log]);
  const more = `slowlog = ${log}\nrequest_slowlog_timeout = 5s\n`;
  stage.write('carol', stage.pool('carol', carol, more));
  stage.write('alice', stage.pool('alice', alice));
  const first = await stage.divide(50_000);
  assert.match(first.refused[0]?.reason ?? '', /carol\.conf: .*did not finish within/);
  assert.deepEqual(first.units, [socket(alice, 'alice'), service(alice)].sort());
  // Any check that waits for it now would need more than all the time.
  const second = await stage.divide();
  assert.match(second.refused[0]?.reason ?? '', /its last check did not finish/);
  assert.deepEqual(second.units, first.units);
});

test(
  'web fpm refuses to divide the pools when php-fpm does not answer at all',
  { skip },
  async () => {
    using stage = new FpmStage();
    stage.write('carol', stage.pool('carol', carol));
    const slow = `${stage.at}/slow`;
    writeFileSync(slow, '#!/bin/sh\nexec sleep 3600\n', { mode: 0o755 });
    const { fpm: program, ...context } = stage.context();
    const check = stage.check(2_000);
    const inputs = await readFpmInputs({ ...context, fpm: { ...program, program: slow } }, check);
    assert.ok(!inputs.ok);
    assert.match(inputs.error.reason, /did not finish within/);
  },
);
