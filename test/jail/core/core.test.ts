import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { accountFilesOf, readHostFiles } from '../../../src/jail/core/account-files.ts';
import { callNames, callNumber, type Architecture } from '../../../src/jail/core/call-numbers.ts';
import { compareNames } from '../../../src/jail/core/compare.ts';
import { homeBase, pathBlocker } from '../../../src/jail/core/layout.ts';
import {
  earlierNamespaces,
  parseStateFile,
  formatStateFile,
  type JailStateFile,
} from '../../../src/jail/core/state-file.ts';
import { filterFor } from '../../../src/jail/core/seccomp.ts';

/** Runs a filter as the kernel does: one accumulator, jumps forward. Source: Documentation/networking/filter.rst. */
function judge(
  filter: Uint8Array,
  call: { readonly arch: number; readonly number: number; readonly args?: readonly number[] },
): number {
  const view = new DataView(filter.buffer);
  const data = new DataView(new ArrayBuffer(64));
  data.setUint32(0, call.number, true);
  data.setUint32(4, call.arch, true);
  for (const [index, value] of (call.args ?? []).entries()) {
    data.setBigUint64(16 + 8 * index, BigInt(value), true);
  }
  let accumulator = 0;
  for (let at = 0; ; at++) {
    const value = view.getUint32(at * 8 + 4, true);
    const jump = (isTrue: boolean) => (at += view.getUint8(at * 8 + (isTrue ? 2 : 3)));
    switch (view.getUint16(at * 8, true)) {
      case 0x20:
        accumulator = data.getUint32(value, true);
        break;
      case 0x54:
        accumulator &= value;
        break;
      case 0x15:
        jump(accumulator === value);
        break;
      case 0x35:
        jump(accumulator >= value);
        break;
      case 0x45:
        jump((accumulator & value) !== 0);
        break;
      case 0x06:
        return value;
      default:
        assert.fail('no such instruction');
    }
  }
}

const allowed = 0x7fff0000;
const errno = (answer: number) => (answer === allowed ? 0 : answer - 0x50000);
const audit = { x64: 0xc000003e, arm64: 0xc00000b7 } as const;

const ask = (
  profile: 'web' | 'shell' | 'strict',
  architecture: Architecture,
  call: string,
  ...args: readonly number[]
) =>
  errno(
    judge(filterFor(profile, architecture), {
      arch: audit[architecture],
      number: callNumber(call, architecture) ?? assert.fail(call),
      args,
    }),
  );

for (const architecture of ['x64', 'arm64'] as const) {
  test(`filterFor() refuses every blocked call on ${architecture}`, () => {
    const byArguments = 'clone unshare socket socketpair setsockopt ioctl personality'.split(' ');
    for (const name of callNames) {
      if (byArguments.includes(name) || callNumber(name, architecture) === undefined) continue;
      assert.ok([1, 38].includes(ask('web', architecture, name)), name);
    }
    for (const name of ['clone3', 'io_setup', 'io_uring_setup', 'keyctl', 'userfaultfd']) {
      assert.equal(ask('shell', architecture, name), 38, name);
    }
  });

  test(`filterFor() checks arguments on ${architecture}`, () => {
    const see = (call: string, ...args: readonly number[]) =>
      ask('web', architecture, call, ...args);
    const [SIGCHLD, CLONE_VM] = [17, 0x100];
    assert.equal(see('clone', SIGCHLD | CLONE_VM), 0);
    for (const flag of [
      0x20000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000,
    ]) {
      assert.equal(see('clone', flag | SIGCHLD), 1);
      assert.equal(see('unshare', flag), 1);
    }
    assert.equal(see('unshare', 0x80), 1, 'a namespace of time');
    assert.equal(see('unshare', 0x100000), 1, 'an empty namespace of mounts');
    assert.equal(see('clone', 0x100000 | SIGCHLD), 0, 'the same bit, for the id of the thread');
    assert.equal(see('unshare', 0x400), 0, 'descriptors of its own');
    assert.deepEqual(
      [1, 2, 10].map((family) => see('socket', family, 1, 0)),
      [0, 0, 0],
    );
    assert.deepEqual([see('socket', 16, 3, 0), see('socket', 16, 3, 12)], [0, 97]);
    assert.deepEqual(
      [17, 38, 40].map((family) => see('socket', family, 3, 0)),
      [97, 97, 97],
    );
    for (const family of [2, 10]) {
      const [stream, datagram, raw, sequence, flags] = [1, 2, 3, 5, 0o2004000];
      const answers = (type: number, ...protocols: readonly number[]) =>
        protocols.map((protocol) => see('socket', family, type, protocol));
      assert.deepEqual(answers(stream | flags, 0, 6, 17, 132, 256, 262), [0, 0, 93, 93, 93, 93]);
      assert.deepEqual(
        answers(datagram | flags, 0, 17, 1, 58, 6, 115, 136),
        [0, 0, 0, 0, 93, 93, 93],
      );
      assert.deepEqual(answers(raw | flags, 0, 1, 132), [1, 1, 1]);
      assert.deepEqual(answers(sequence, 0, 132), [94, 94]);
    }
    assert.deepEqual(
      [1, 2, 10, 16, 30, 43].map((family) => see('socketpair', family, 1, 0)),
      [0, 97, 97, 97, 97, 97],
    );
    assert.deepEqual(
      [9, 26, 27, 50, 51, 52].map((option) => see('setsockopt', 3, 1, option)),
      [0, 1, 0, 1, 1, 1],
    );
    assert.equal(see('setsockopt', 3, 6, 26), 0, 'an option of TCP with the same number');
    assert.equal(see('ioctl', 0, 0x5413), 0);
    assert.equal(see('ioctl', 0, 0x5412), 1);
    assert.equal(see('ioctl', 0, 0x1_0000_5412), 1, 'the kernel takes the lower half alone');
    assert.deepEqual([see('personality', 0xffffffff), see('personality', 0x400000)], [0, 1]);
  });

  test(`filterFor() allows ptrace only in the profile shell, on ${architecture}`, () => {
    assert.deepEqual(
      (['web', 'strict', 'shell'] as const).map((each) => ask(each, architecture, 'ptrace')),
      [1, 1, 0],
    );
  });

  test(`filterFor() refuses calls of other ABIs on ${architecture}`, () => {
    const filter = filterFor('web', architecture);
    assert.equal(errno(judge(filter, { arch: 0x40000003, number: 20 })), 38);
    assert.equal(errno(judge(filter, { arch: audit[architecture], number: 63 })), 0);
    if (architecture === 'x64') {
      const x32 = { arch: audit.x64, number: 0x40000000 + 39 };
      assert.equal(errno(judge(filter, x32)), 38);
    }
    // Source: linux/bpf_common.h, BPF_MAXINSNS.
    assert.ok(filter.length / 8 < 4096);
  });
}

test("callNumber() returns the numbers of this host's kernel headers", (context) => {
  const headers = [
    ['x64', '/usr/include/x86_64-linux-gnu/asm/unistd_64.h'],
    ['arm64', '/usr/include/asm-generic/unistd.h'],
  ] as const;
  for (const [architecture, header] of headers) {
    if (!existsSync(header)) {
      context.diagnostic(`there is no ${header}`);
      continue;
    }
    const text = readFileSync(header, 'utf8');
    for (const name of callNames) {
      const number = callNumber(name, architecture);
      const pattern = new RegExp(`^#define __NR(?:3264)?_${name} (\\d+)$`, 'm');
      const written = pattern.exec(text)?.[1];
      if (written !== undefined) assert.equal(number, Number(written), `${architecture} ${name}`);
    }
  }
});

test('accountFilesOf() lists only the tenant and system users', () => {
  const passwd = [
    'root:x:0:0:root:/root:/bin/bash',
    'mysql:x:110:110::/:/bin/false',
    'alice:$6$secret:1001:1001:Alice:/home/alice:/bin/zsh',
    'bob:x:1002:1002::/home/bob:/bin/sh',
    'www-data:x:33:33::/var/www:/bin/false',
    '',
  ].join('\n');
  const group = 'root:x:0:\nalice:x:1001:\nbob:x:1002:\nweb:x:2000:bob,alice\ndb:x:2001:bob\n';
  const host = readHostFiles(passwd, group);
  const account = { user: 'alice', uid: 1001, gid: 1001, home: '/home/alice' };
  const files = accountFilesOf(account, host);
  assert.deepEqual(files.passwd.trim().split('\n'), [
    'root:x:0:0:root:/root:/bin/bash',
    'www-data:x:33:33::/var/www:/bin/false',
    'alice:x:1001:1001:Alice:/home/alice:/bin/zsh',
  ]);
  assert.deepEqual(files.group.trim().split('\n'), [
    'root:x:0:',
    'alice:x:1001:',
    'web:x:2000:alice',
  ]);
  const more = accountFilesOf(account, host, [
    { name: 'staff', gid: 5000 },
    { name: 'web', gid: 2000 },
  ]);
  assert.match(more.group, /^staff:x:5000:alice$/m);
  assert.doesNotMatch(accountFilesOf(undefined, host).passwd, /alice|bob/);
});

test('parseStateFile() reads what formatStateFile() wrote, whatever the reason contains', () => {
  const stateFile: JailStateFile = {
    profile: 'shell',
    state: 'failed',
    reason: 'the home "x\nstate ready\n" is a link',
    filter: true,
    landlock: true,
    commands: ['crontab'],
    namespace: 4_026_532_256,
    earlier: [4_026_532_001, 4_026_532_000],
    print: 'abc',
  };
  const read = parseStateFile(formatStateFile(stateFile));
  assert.deepEqual({ ...read, reason: '' }, { ...stateFile, reason: '' });
  assert.equal(read.state, 'failed');
  assert.equal(formatStateFile(stateFile).match(/^state/gm)?.length, 1);
  assert.equal(parseStateFile('').state, 'waiting');
  const text = formatStateFile(stateFile);
  assert.equal(parseStateFile(text.replace('jail 1', 'jail 2')).state, 'waiting');
  assert.equal(parseStateFile(text.slice(0, -1)).state, 'waiting');
  assert.equal(parseStateFile('state ready\nprofile none\n').profile, 'strict');
  assert.deepEqual(earlierNamespaces(stateFile), [stateFile.namespace, ...stateFile.earlier]);
});

test('homeBase() refuses homes in directories that the jail has itself', () => {
  assert.deepEqual(homeBase('/home/alice'), { ok: true, value: '/home' });
  assert.deepEqual(homeBase('/srv/www/acme/bob'), { ok: true, value: '/srv' });
  // The skeleton has /var/lib and /var/tmp.
  assert.deepEqual(homeBase('/var/www/acme/bob'), { ok: true, value: '/var/www' });
  for (const home of [
    '/alice',
    '/tmp/alice',
    '/usr/share/x',
    '/home/../etc',
    'home',
    '',
    '/a//b',
    '/proc/1',
  ]) {
    assert.ok(!homeBase(home).ok, home);
  }
});

test('pathBlocker() refuses paths that would show other homes, or are in this one', () => {
  assert.equal(pathBlocker('/srv/media', '/home/alice'), undefined);
  assert.match(pathBlocker('/srv', '/srv/alice')?.reason ?? '', /homes of tenants/);
  assert.match(pathBlocker('/srv/alice/x', '/srv/alice')?.reason ?? '', /in its home/);
  assert.equal(pathBlocker('/srv/media', '/srv/alice'), undefined);
});

test('compareNames() returns names that are hidden, and names that are only inside', () => {
  assert.deepEqual(compareNames('/', ['a', 'b'], ['b', 'c']), {
    directory: '/',
    hidden: ['a'],
    added: ['c'],
    same: 1,
  });
});
