/** `bulkhead cloudlinux` below a directory of its own, and the text and the file that panels read. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { beforeEach, test } from 'node:test';
import { limitNumbers } from '../../src/agent/sampling/limit-numbers.ts';
import { lveInfo, lveLimits } from '../../src/cloudlinux/core/lve-info.ts';
import {
  lveInfoDirectory,
  lveInfoMarker,
  removeLveInfo,
  writeLveInfo,
} from '../../src/cloudlinux/io/lve-info-file.ts';
import { formatProblem, type Problem } from '../../packages/base/problem.ts';
import type { Bytes } from '../../packages/base/quantity.ts';
import type { Result } from '../../packages/base/result.ts';
import { runLve } from './lve-program.ts';
import { topRow } from './lve-server.ts';
import { jsonOf } from '../../testing/json-output.ts';
import { testDirectory } from '../../testing/temporary-directory.ts';
import type { CloudlinuxStatusJson } from '../../src/cloudlinux/commands/json.ts';

const instance = 'bulkhead-lve-test';
const names = [
  'cloudlinux-config',
  'cloudlinux-limits',
  'cloudlinux-packages',
  'cloudlinux-statistics',
  'cloudlinux-top',
  'dbtop',
  'lve-read-snapshot',
  'lvechart',
  'lvectl',
  'lveinfo',
  'lveps',
];

let prefix = '';
beforeEach((t) => {
  prefix = testDirectory(t, 'lve-install');
});

const lve = (verb: string, ...args: string[]) =>
  runLve(['--instance', instance, 'cloudlinux', verb, '--prefix', prefix, ...args]);
const bin = (name: string) => join(prefix, 'usr/sbin', name);
const state = () => ({ state: join(prefix, 'var/lib', instance) });

/** Returns every file below the directory. */
const files = () =>
  readdirSync(prefix, { recursive: true, withFileTypes: true })
    .filter((each) => !each.isDirectory())
    .map((each) => join(each.parentPath, each.name).slice(prefix.length))
    .sort();

test("enable writes CloudLinux's commands and a marker, and disable removes exactly these", async () => {
  mkdirSync(join(prefix, 'usr/sbin'), { recursive: true });
  writeFileSync(bin('other'), 'kept');
  for (const _again of [1, 2]) {
    const { status, err } = await lve('enable');
    assert.deepEqual([status, err], [0, '']);
    assert.deepEqual(files(), [
      ...names.map((name) => `/usr/sbin/${name}`),
      '/usr/sbin/other',
      `/var/lib/${instance}/cloudlinux`,
    ]);
  }
  for (const name of names) {
    assert.equal(statSync(bin(name)).mode & 0o7777, 0o755);
    assert.equal(spawnSync('sh', ['-n', bin(name)]).status, 0);
    assert.match(
      readFileSync(bin(name), 'utf8'),
      new RegExp(`^exec '/.*/bulkhead' --instance ${instance} ${name} "\\$@"$`, 'm'),
    );
  }
  const directory = lveInfoDirectory(state());
  assert.equal(directory, join(prefix, 'var/lve'));
  // The agent's sandbox lets it write there only if the directory exists.
  assert.ok(existsSync(join(prefix, 'var/lve')));
  assert.ok(writeLveInfo(directory ?? '', 'x\n').ok);
  assert.match((await lve('status')).out, /^\S*\/usr\/sbin\/lvectl: calls Bulkhead$/m);
  assert.match((await lve('status')).out, /\/var\/lve\/info: written by the agent$/m);
  assert.deepEqual([(await lve('disable')).status, files()], [0, ['/usr/sbin/other']]);
  assert.equal(existsSync(join(prefix, 'var/lve')), false);
  assert.equal((await lve('disable')).status, 0);
  const status = jsonOf<CloudlinuxStatusJson>(
    'cloudlinux status',
    (await lve('status', '--json')).out,
  );
  assert.deepEqual(
    status.commands.map((each) => each.is),
    names.map(() => 'absent'),
  );
});

test("enable writes nothing when a file with a command's name is not its own", async () => {
  mkdirSync(join(prefix, 'usr/sbin'), { recursive: true });
  const victim = join(prefix, 'victim');
  writeFileSync(victim, 'kept');
  const foreign: readonly (readonly [string, () => void])[] = [
    ['a script of someone else', () => writeFileSync(bin('lveinfo'), '#!/bin/sh\nexit 0\n')],
    ['a symbolic link', () => symlinkSync(victim, bin('lveinfo'))],
    ['a directory', () => mkdirSync(bin('lveinfo'))],
    ['a named pipe', () => void execFileSync('mkfifo', [bin('lveinfo')])],
  ];
  for (const [what, make] of foreign) {
    make();
    const { status, out, err } = await lve('enable');
    assert.deepEqual([status, out], [1, ''], what);
    assert.match(err, /^bulkhead: Cannot install ".*lveinfo": a file that is not Bulkhead's/);
    assert.equal(existsSync(bin('lvectl')), false, what);
    assert.equal((await lve('disable')).status, 0);
    assert.ok(existsSync(bin('lveinfo')), what);
    rmSync(bin('lveinfo'), { recursive: true });
  }
  assert.equal(readFileSync(victim, 'utf8'), 'kept');
});

test('enable refuses on CloudLinux, and in a directory that others can write', async () => {
  mkdirSync(join(prefix, 'etc'));
  writeFileSync(join(prefix, 'etc/cloudlinux-release'), '');
  const refused = await lve('enable');
  assert.deepEqual([refused.status, refused.out], [1, '']);
  assert.match(
    refused.err,
    /CloudLinux itself is installed on this host \(".*cloudlinux-release" exists\)/,
  );
  rmSync(join(prefix, 'etc'), { recursive: true });
  mkdirSync(join(prefix, 'usr/sbin'), { recursive: true });
  chmodSync(join(prefix, 'usr/sbin'), 0o777);
  const open = await lve('enable');
  assert.equal(open.status, 1);
  assert.match(open.err, /can be written by others; run: chmod go-w/);
  assert.deepEqual(files(), []);
});

test('enable --prefix is a usage error when the path is not absolute', async () => {
  const args = ['--instance', instance, 'cloudlinux', 'enable', '--prefix', 'here'];
  assert.equal((await runLve(args)).status, 2);
});

test('an installed lvectl runs Bulkhead', async () => {
  assert.equal((await lve('enable')).status, 0);
  const { status, stdout } = spawnSync(bin('lvectl'), ['version'], { encoding: 'utf8' });
  assert.equal(status, 0);
  assert.match(stdout, /^bulkhead \d/);
});

const errorOf = (written: Result<void, Problem>) =>
  written.ok ? 'it did not fail' : formatProblem(written.error);

test('lveInfo() formats defaults and tenants as /var/lve/info, by uid', () => {
  const defaults = limitNumbers({ 'memory.limit': (2 ** 30) as Bytes, 'cpu.limit': 'unlimited' });
  const text = lveInfo([topRow(300), topRow(3), topRow(2)], defaults);
  assert.equal(
    text,
    [
      '0,0,0,0,0,0,0,0,0,262144,0,0,0,0,0,0,0,0,0,0',
      '1002,0,0,4000,0,0,0,0,0,0,512,0,0,2,0,0,3,0,0,6',
      '1003,0,20,6000,20000,0,0,0,6,262144,768,4,100,3,5,0,5,4096,1000,9',
      '1300,0,20,0,20000,0,0,0,0,262144,76800,0,100,0,0,0,450,4096,1000,900',
      '',
    ].join('\n'),
  );
});

test('lveInfo() caps usage at the limit, and leaves out resellers', () => {
  const row = topRow(3);
  const usage = {
    ...row.usage,
    cpu: 9,
    memory: 2 ** 40,
    threads: 1000,
    total: 1e9,
    operations: 1e6,
  };
  const [, line = '', rest] = lveInfo(
    [
      { ...row, usage },
      { ...row, kind: 'reseller' },
    ],
    {},
  ).split('\n');
  assert.equal(
    line,
    '1003,0,20,20000,20000,0,0,0,6,262144,262144,4,100,100,5,0,4096,4096,1000,1000',
  );
  assert.equal(rest, '');
  assert.equal(lveLimits({ 'cpu.limit': 1, 'io.read': 5 }).ioBytesPerSecond, 0);
});

test('writeLveInfo() replaces the whole file, and removes temporary files', () => {
  const directory = join(prefix, 'lve');
  assert.ok(writeLveInfo(directory, 'one\n').ok);
  const before = statSync(join(directory, 'info'));
  assert.deepEqual([statSync(directory).mode & 0o7777, before.mode & 0o7777], [0o755, 0o644]);
  const held = readFileSync(join(directory, 'info'), 'utf8');
  writeFileSync(join(directory, '.info.0123456789abcdef.tmp'), 'of a writer that was killed');
  assert.ok(writeLveInfo(directory, 'two\n').ok);
  assert.notEqual(statSync(join(directory, 'info')).ino, before.ino);
  assert.deepEqual([held, readFileSync(join(directory, 'info'), 'utf8')], ['one\n', 'two\n']);
  assert.deepEqual(readdirSync(directory), ['info']);
  writeFileSync(join(directory, 'kept'), '');
  assert.ok(removeLveInfo(directory).ok);
  assert.deepEqual(readdirSync(directory), ['kept']);
  assert.ok(removeLveInfo(join(prefix, 'none')).ok);
});

test("writeLveInfo() follows no symbolic link, and refuses others' directories", () => {
  const victim = join(prefix, 'victim');
  mkdirSync(victim);
  symlinkSync(victim, join(prefix, 'link'));
  assert.match(errorOf(writeLveInfo(join(prefix, 'link'), 'x')), /^Cannot write ".*link\/info": /);
  const open = join(prefix, 'open');
  mkdirSync(open);
  chmodSync(open, 0o777);
  assert.match(errorOf(writeLveInfo(open, 'x')), /can be written by others/);
  const own = join(prefix, 'own');
  mkdirSync(own);
  writeFileSync(join(victim, 'file'), 'kept');
  for (const name of ['info', '.info.0123456789abcdef.tmp'])
    symlinkSync(join(victim, 'file'), join(own, name));
  assert.ok(writeLveInfo(own, 'x').ok);
  assert.deepEqual(readdirSync(victim), ['file']);
  assert.equal(readFileSync(join(victim, 'file'), 'utf8'), 'kept');
  assert.equal(readFileSync(join(own, 'info'), 'utf8'), 'x');
  assert.match(errorOf(writeLveInfo(join(prefix, 'no/such'), 'x')), /it does not exist/);
});

test('lveInfoDirectory() returns only a path that "enable" wrote', () => {
  mkdirSync(state().state, { recursive: true });
  const marker = lveInfoMarker(state());
  const target = join(prefix, 'target');
  writeFileSync(target, '/var/lve\n');
  assert.equal(lveInfoDirectory(state()), undefined);
  for (const text of ['', 'var/lve\n', '/var/lve', '/a\n/b\n', '/a\0b\n']) {
    writeFileSync(marker, text);
    assert.equal(lveInfoDirectory(state()), undefined, JSON.stringify(text));
  }
  writeFileSync(marker, '/var/lve\n');
  assert.equal(lveInfoDirectory(state()), '/var/lve');
  rmSync(marker);
  symlinkSync(target, marker);
  assert.equal(lveInfoDirectory(state()), undefined);
});
