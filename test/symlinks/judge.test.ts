/** How bad a name in a home is, and how paths that are not text are shown. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isAtLeast } from '../../src/symlinks/core/audit/finding.ts';
import {
  judgeHardLink,
  judgeLink,
  type Destination,
  type Neighbours,
  type Whose,
} from '../../src/symlinks/core/audit/judge.ts';
import { formatPath, textOfBytes } from '../../src/symlinks/core/audit/shown-path.ts';
import { isSystemDirectory } from '../../src/symlinks/core/audit/system-home.ts';

const alice: Whose = {
  uid: 1001,
  owns: (uid) => uid === 1001 || (uid >= 200_000 && uid < 265_536),
};
const names = new Map([
  [0, 'root'],
  [33, 'www-data'],
  [1001, 'alice'],
  [1002, 'bob'],
]);
const neighbours: Neighbours = {
  nameOf: (uid) => names.get(uid) ?? `uid ${uid}`,
  isTenant: (uid) => uid === 1001 || uid === 1002,
  homeOf: (path) =>
    path.startsWith('/home/alice') ? 1001 : path.startsWith('/home/bob') ? 1002 : undefined,
  holdsHomes: (path) => path === '/' || path === '/home',
};
const there = (path: string, more: Partial<Destination & { kind: 'there' }> = {}): Destination => ({
  kind: 'there',
  path,
  identity: '8:1:2',
  owner: 0,
  permissions: 0o644,
  type: 'file',
  open: true,
  ofKernel: false,
  ...more,
});
const severityOf = (to: Destination, owner = 1001) =>
  judgeLink({ owner: owner, names: 1 }, to, alice, neighbours)?.severity;

const cases: readonly (readonly [what: string, to: Destination, severity: string | undefined])[] = [
  ['an own file', there('/home/alice/x', { owner: 1001 }), undefined],
  ['a file of a subordinate uid', there('/home/alice/x', { owner: 200_001 }), undefined],
  ['an own file in a home of another', there('/home/bob/x', { owner: 1001 }), undefined],
  ['a file of another', there('/srv/x', { owner: 1002 }), 'high'],
  ['a file of root in the home of another', there('/home/bob/x'), 'high'],
  ['a file of root in the own home', there('/home/alice/x'), 'medium'],
  ['a file that not everyone can read', there('/etc/shadow', { permissions: 0o640 }), 'high'],
  ['a file behind a closed directory', there('/root/x', { open: false }), 'high'],
  ['a secret of a system user', there('/var/lib/x', { owner: 33, permissions: 0o600 }), 'high'],
  ['a public file of the system', there('/etc/passwd'), 'medium'],
  ['a program of the system', there('/usr/bin/python3'), 'low'],
  ['all homes', there('/home', { type: 'directory', permissions: 0o755 }), 'high'],
  ['everything', there('/', { type: 'directory', permissions: 0o755 }), 'high'],
  ['a directory of the system', there('/var/log', { type: 'directory' }), 'medium'],
  ['/proc', there('/proc/1/root', { ofKernel: true, type: 'other' }), 'medium'],
  ['a device', there('/dev/null', { type: 'other', permissions: 0o666 }), 'low'],
  ['nothing in the own home', { kind: 'nowhere', path: '/home/alice/x', owner: 1001 }, undefined],
  ['nothing in a home of another', { kind: 'nowhere', path: '/home/bob/x', owner: 1002 }, 'medium'],
  ['nothing of another', { kind: 'nowhere', path: '/srv/x', owner: 1002 }, 'medium'],
  ['nothing of root', { kind: 'nowhere', path: '/srv/x', owner: 0 }, 'low'],
  ['what was not asked', { kind: 'unread', path: '/mnt', why: 'FUSE' }, 'medium'],
  ['itself', { kind: 'loop' }, undefined],
];

for (const [what, to, severity] of cases)
  test(`judgeLink() returns the severity of a link to ${what}`, () =>
    assert.equal(severityOf(to), severity));

test('judgeLink() returns low when root made the link', () => {
  const judged = judgeLink({ owner: 0, names: 1 }, there('/var/log/site.log'), alice, neighbours);
  assert.equal(judged?.severity, 'low');
  assert.match(judged?.reason ?? '', /^root made this link; /);
});

test("judgeLink() returns undefined when the link's maker owns the target", () => {
  assert.equal(severityOf(there('/srv/x', { owner: 33 }), 33), undefined);
});

test("judgeLink() reports another tenant's link, wherever it leads", () => {
  const own = there('/home/alice/x', { owner: 1001 });
  const bobs = there('/home/bob/x', { owner: 1002 });
  const judged = (to: Destination, owner: number, names = 1) =>
    judgeLink({ owner, names }, to, alice, neighbours);
  assert.deepEqual(judged(own, 1002), { severity: 'high', reason: 'it is a link of bob' });
  assert.equal(judged(own, 1002, 2)?.reason, 'it is a second name of a link of bob');
  assert.equal(judged(bobs, 1002)?.severity, 'high');
  assert.equal(judged({ kind: 'loop' }, 1002)?.severity, 'high');
  // A server made it here, or it lies elsewhere as well.
  assert.equal(judged(own, 33), undefined);
  assert.equal(judged(own, 33, 2)?.severity, 'medium');
  assert.equal(judged(own, 0, 2), undefined);
  assert.equal(judged(own, 200_001, 2), undefined);
});

test('judgeHardLink() returns the severity by owner and mode', () => {
  const of = (owner: number, mode: number) =>
    judgeHardLink(owner, mode, alice, neighbours)?.severity;
  assert.equal(of(1001, 0o600), undefined);
  assert.equal(of(200_001, 0o600), undefined);
  assert.equal(of(1002, 0o644), 'high');
  assert.equal(of(0, 0o4755), 'high');
  assert.equal(of(0, 0o640), 'high');
  assert.equal(of(0, 0o644), 'medium');
});

test('isAtLeast() orders severities', () => {
  assert.ok(isAtLeast('high', 'medium'));
  assert.ok(isAtLeast('medium', 'medium'));
  assert.ok(!isAtLeast('low', 'medium'));
});

const bytes = (text: string) => Buffer.from(text).toString('latin1');

test('formatPath() prints text as text, and other bytes as numbers', () => {
  assert.equal(formatPath(bytes('/home/café')), '/home/café');
  assert.equal(formatPath(`${bytes('/é')}\xff\x9b2J`), '/é\\xff\\x9b2J');
  assert.equal(formatPath('/a\nb\x1b[2J'), '/a\\u{a}b\\u{1b}[2J');
  assert.equal(formatPath('\xed\xa0\x80'), '\\xed\\xa0\\x80');
  assert.equal(textOfBytes('/\xff'), undefined);
});

test('formatPath() prints no control character, whatever the bytes are', () => {
  for (let first = 1; first < 256; first++)
    for (let second = 1; second < 256; second++) {
      const shown = formatPath(String.fromCharCode(first, second));
      assert.doesNotMatch(shown, /\p{Cc}/u);
    }
});

test('isSystemDirectory() recognizes system directories that cannot be homes', () => {
  for (const path of ['/', '//', '/home', '/home/', '/usr/share/x', '/dev/shm', '/var', '/root'])
    assert.ok(isSystemDirectory(path), path);
  for (const path of ['/home/alice', '/var/www/shop', '/srv/a', '/tmp/x', '/data'])
    assert.ok(!isSystemDirectory(path), path);
});
