/**
 * Tenants whose definitions of applications are to become something else: lines of units, applications of others, or work
 * for root without end.
 */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, test } from 'node:test';
import { writeOwnApps } from '../../src/app/io/own-apps.ts';
import { alice, body, bob, OwnAppsStage } from '../app/own-apps-stage.ts';

let stage: OwnAppsStage;
beforeEach(() => (stage = new OwnAppsStage()));
afterEach(() => stage[Symbol.dispose]());

const blog = { set: 'blog', command: 'x' };

/** Splits a command line as systemd does, with its escapes, specifiers and variables. Source: systemd.service(5). */
function wordsOf(line: string): readonly string[] {
  const words: string[] = [];
  for (const [, quoted, plain = ''] of line.matchAll(/"((?:[^"\\]|\\.)*)"|([^\s"\\]+)/g)) {
    const text = quoted?.replace(/\\(["\\])/g, '$1') ?? plain;
    assert.doesNotMatch(text.replaceAll('%%', '').replaceAll('$$', ''), /[%$]/, line);
    words.push(text.replaceAll('%%', '%').replaceAll('$$', '$'));
  }
  return words;
}

const settings = (unit: string) => unit.split('\n').map((line) => line.replace(/=.*/, '='));
const signs = ['"', "'", '\\', '$', '%', '{HOME}', '%n', ';', '#', ' ', '\u00e4', '\u{1f600}'];
signs.push('\u202e', '\\x0a', '\\n', '=', '[Service]', 'User=root', '!', '+', '-', '@', '|');

test('no text of a tenant becomes another word or line of a unit', async () => {
  await stage.set(alice, { ...blog, directory: '/d', environment: '/e' });
  const plain = settings(stage.unit('5001:blog.service'));
  let random = 12_345;
  const next = (below: number) => (random = (random * 48_271) % 0x7fffffff) % below;
  for (let round = 0; round < 200; round++) {
    const text = Array.from({ length: 1 + next(20) }, () => signs[next(signs.length)]).join('');
    stage.write(alice, { command: `x ${text}`, directory: `/${text}`, environment: `/e${text}` });
    stage.install();
    const unit = stage.unit('5001:blog.service');
    assert.deepEqual(settings(unit), plain, unit);
    const words = wordsOf(/^ExecStart=(.*)$/m.exec(unit)?.[1] ?? '');
    const after = (option: string) => words[words.indexOf(option) + 1];
    assert.deepEqual([after('--chdir'), after('--app-env')], [`/${text}`, `/e${text}`]);
    const end = words.indexOf('--');
    assert.equal(words[end - 1], 'alice');
    const [program = '', ...rest] = words.slice(end + 1);
    const written = `x ${text}`.trim();
    if (program === '/bin/sh') {
      assert.deepEqual([rest[0], rest[1]?.replace(/^exec /, '').trim()], ['-c', written]);
      assert.equal(rest.length, 2);
      continue;
    }
    assert.deepEqual([program, ...rest], written.split(/ +/));
    assert.doesNotMatch(written, /["'\\$;#|!{[]/);
  }
});

test('a line end, a zero byte and an odd name reach no unit', async () => {
  for (const bad of ['\n', '\r', '\0', '\u0085', '\u2028'])
    assert.match(await stage.set(alice, { ...blog, command: `x${bad}y` }), /^400 /);
  const names = ['..', 'a/b', 'a.service', 'A', 'a b', '-a', '', 'a'.repeat(33), '%n', 'a\n'];
  for (const set of names) assert.match(await stage.set(alice, { ...blog, set }), /^400 /, set);
  for (const set of ['constructor', '0'])
    assert.equal(await stage.set(alice, { ...blog, set }), 'kept');
  assert.deepEqual(
    stage.units().map((name) => name.replace(/\..*/, '')),
    ['5001:0', '5001:0', '5001:constructor', '5001:constructor'],
  );
});

test('no request chooses a socket, variables, the site or the number of starts', async () => {
  const more =
    'socket=/run/other.sock&starts=100&site=shop.example&env=LD_PRELOAD%3D/x&variables=x';
  assert.equal(await stage.set(alice, `set=blog&command=x&${more}`), 'kept');
  const units = stage.unit('5001:blog.service') + stage.unit('5001:blog.socket');
  assert.doesNotMatch(units, /other\.sock|shop\.example|LD_PRELOAD|Environment=|=100\b/);
  assert.doesNotMatch(readFileSync(stage.file(alice), 'utf8'), /other|shop|LD_/);
});

test('tenants of the same names have each their own units and sockets', async () => {
  await stage.set(alice, blog);
  await stage.set(bob, { ...blog, command: 'y' }, 'bob');
  assert.match(stage.unit('5001:blog.service'), / alice -- x$/m);
  assert.match(stage.unit('5002:blog.service'), / bob -- y$/m);
});

test('floods of changes write and apply only the few that each tenant is given', async () => {
  const begun = performance.now();
  const states = new Map<string, number>();
  const flood = async (uid: number, name: string) => {
    for (let each = 0; each < 200; each++) {
      const said = await stage.set(uid, { ...blog, command: `x ${each}` }, name);
      const kind = `${name} ${said.slice(0, 4)}`;
      states.set(kind, (states.get(kind) ?? 0) + 1);
    }
  };
  await Promise.all([flood(alice, 'alice'), flood(alice, 'alice'), flood(bob, 'bob')]);
  // Ten at once, and one a minute.
  const max = 11 + Math.ceil((performance.now() - begun) / 60_000);
  const [first = 0, second = 0] = [states.get('alice kept'), states.get('bob kept')];
  for (const given of [first, second]) assert.ok(given >= 10 && given <= max, `${given} of ${max}`);
  assert.ok(stage.applied <= first + second, `${stage.applied}`);
  assert.equal(stage.log.length, first + second);
  assert.equal(
    [...states.values()].reduce((sum, each) => sum + each, 0),
    600,
  );
  assert.deepEqual([...states.keys()].sort(), ['alice 429 ', 'alice kept', 'bob 429 ', 'bob kept']);
});

test('definitions that fill their requests never make the file too large to be read', async () => {
  stage.adopt(body(50));
  const long = '"\\'.repeat(2048);
  const texts = { command: long, directory: `/${long.slice(1)}`, environment: `/${long.slice(1)}` };
  const apps = Array.from({ length: 50 }, (_, index) => ({ ...texts, name: `a${index}` }));
  stage.writeAll(alice, apps.slice(0, 40));
  const states = [];
  for (const { name: set } of apps.slice(40, 49))
    states.push(await stage.set(alice, { ...texts, set }));
  assert.match(states.at(-1) ?? '', /^409 the texts of all definitions together are too long/);
  const kept = states.filter((state) => state === 'kept').length;
  assert.deepEqual([stage.plan().apps.length, stage.plan().unreadable], [40 + kept, []]);
  const home = { name: 'alice', apps };
  assert.match(JSON.stringify(writeOwnApps(stage.paths, alice, home)), /too long/);
  assert.equal(await stage.set(alice, { remove: 'a0' }), 'in force');
});

test('what is in place of the file is not followed, and never waited for', async () => {
  await stage.set(alice, blog);
  const path = stage.file(alice);
  const secret = `${stage.paths.etc}/secret`;
  writeFileSync(secret, JSON.stringify({ name: 'alice', apps: [{ name: 'x', command: 'x' }] }));
  const replacements: readonly (() => void)[] = [
    () => symlinkSync(secret, path),
    () => execFileSync('mkfifo', [path]),
    () => mkdirSync(path),
    () => writeFileSync(path, Buffer.alloc(2 ** 22)),
  ];
  for (const replace of replacements) {
    rmSync(path, { recursive: true, force: true });
    replace();
    const plan = stage.plan();
    assert.deepEqual([plan.unreadable.length, plan.changes, plan.leaving], [1, [], []]);
  }
  rmSync(path, { recursive: true });
});
