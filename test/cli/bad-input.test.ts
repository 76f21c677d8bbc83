/**
 * The program's reaction to hostile and broken policies: one clear message, status 1, no stack
 * trace.
 */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, chownSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { patienceMilliseconds } from '../../testing/patience.ts';
import { suiteDirectory } from '../../testing/temporary-directory.ts';

const program = fileURLToPath(new URL('../../bulkhead', import.meta.url));
const isRoot = process.getuid?.() === 0;
const directory = suiteDirectory('bad', isRoot ? '/root' : (process.env['HOME'] ?? '/tmp'));

const bulkhead = (...args: string[]) =>
  spawnSync(program, ['--instance', 'bulkhead-bad-input', ...args], {
    encoding: 'utf8',
    timeout: patienceMilliseconds,
  });

function refuses(file: string, expected: RegExp): void {
  for (const verb of ['check', 'apply']) {
    const { status, stdout, stderr } = bulkhead(verb, '-p', file);
    assert.equal(status, 1, `${verb}: ${stdout}${stderr}`);
    assert.match(stderr, expected);
    assert.doesNotMatch(stderr, /\n\s+at |defect/);
  }
}

function file(name: string, content: string | Buffer): string {
  const path = join(directory, name);
  writeFileSync(path, content, { mode: 0o644 });
  return path;
}

const policy = (body: string) => `<bulkhead version="1">${body}</bulkhead>`;

const texts: readonly (readonly [name: string, content: string | Buffer, expected: RegExp])[] = [
  ['malformed', policy('<tenant uid="5"'), /malformed:1:\d+: error: Cannot read the file as XML/],
  ['empty', '', /empty:1:1: error: .*root element/],
  ['binary', Buffer.from([0x7f, 0x45, 0x4c, 0x46, 0, 1]), /Cannot read the file as XML/],
  ['latin1', Buffer.from('<bulkhead version="1"><!-- caf\u00e9 --></bulkhead>', 'latin1'), /UTF-8/],
  ['utf16', Buffer.from('\ufeff<bulkhead/>', 'utf16le'), /UTF-16/],
  ['deep', '<bulkhead version="1">'.padEnd(70_000, '<a>'), /nested deeper than 16/],
  [
    'doctype',
    '<!DOCTYPE bulkhead SYSTEM "file:///etc/shadow"><bulkhead version="1"/>',
    /document type declaration is not allowed/,
  ],
  ['root', policy('<tenant user="root"/>'), /uid 0 is root/],
  ['daemon', policy('<tenant user="daemon"/>'), /belongs to the system/],
  ['nobody-there', policy('<tenant user="bulkhead-no-such-user"/>'), /There is no user/],
  ['twice', policy('<tenant uid="64321"/><tenant uid="64321"/>'), /listed twice/],
  [
    'no-unit',
    policy('<defaults><memory limit="512"/></defaults>'),
    /has no unit; write for example "512MiB"/,
  ],
];
for (const [name, content, expected] of texts) {
  test(`check and apply refuse a policy that is ${name}`, () =>
    refuses(file(name, content), expected));
}

test('check and apply refuse a policy of 100 MB before they read it', () => {
  const path = file('huge', '');
  truncateSync(path, 100 * 2 ** 20);
  refuses(path, /16 ?MiB|too large|larger/i);
});

test('check and apply refuse a symbolic link', () => {
  file('target', policy(''));
  symlinkSync(join(directory, 'target'), join(directory, 'link'));
  refuses(join(directory, 'link'), /symbolic link/);
});

test('check and apply refuse a policy that others can write', () => {
  const path = file('open', policy(''));
  chmodSync(path, 0o666);
  refuses(path, /chmod go-w/);
});

test(
  'check and apply refuse a policy of another user',
  { skip: isRoot ? false : 'only root can give a file away' },
  () => {
    const path = file('foreign', policy(''));
    chownSync(path, 64_321, 64_321);
    refuses(path, /chown root/);
  },
);

test('check and apply report a missing policy', () =>
  refuses(join(directory, 'none'), /does not exist/));

test('unknown commands and options are usage errors', () => {
  const typo = bulkhead('aply');
  assert.equal(typo.status, 2);
  assert.match(typo.stderr, /unknown command 'aply'/);
  assert.equal(bulkhead('check', '--nope').status, 2);
  assert.equal(bulkhead('explain').status, 2);
});

test('--help of every command has an example', () => {
  const { stdout } = bulkhead('--help');
  const names = [...stdout.matchAll(/^ {2}([a-z]+)(?: |$)/gm)].map((match) => match[1] ?? '');
  assert.ok(names.length > 10, stdout);
  for (const name of names.filter((each) => each !== 'help')) {
    const help = bulkhead(name, '--help');
    assert.equal(help.status, 0, `${name}: ${help.stderr}`);
    if (name !== 'exec') assert.match(help.stdout, /Examples:/, name);
  }
});

test(
  'release succeeds when no policy has been applied',
  { skip: isRoot ? false : 'needs root' },
  () => {
    const { stderr, status } = bulkhead('release');
    assert.equal(status, 0, stderr);
    rmSync('/run/bulkhead-bad-input', { recursive: true, force: true });
  },
);
