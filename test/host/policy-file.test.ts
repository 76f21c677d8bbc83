/** Policy files are read and edited only where nobody else can change them. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { editPolicyFile } from '../../src/host/edit-policy-file.ts';
import { readForeignFile, readPolicyFile } from '../../src/host/policy-file.ts';
import { createFile } from '../../src/sys/files/edited-file.ts';
import { fail, ok } from '../../packages/base/result.ts';
import { valueOf, errorOf } from '../../testing/results.ts';
import { asRoot, directory, file, usePolicyFile, leftovers } from './policy-file-stage.ts';

usePolicyFile();

describe('readPolicyFile() of unsafe files', () => {
  test('readPolicyFile() refuses a symbolic link', () => {
    const link = join(directory, 'link.xml');
    symlinkSync(file, link);
    assert.match(
      errorOf(readPolicyFile(link)),
      /^Cannot read ".*link\.xml": it is a symbolic link; /,
    );
  });

  test('readPolicyFile() refuses a named pipe without waiting for a writer', () => {
    const pipe = join(directory, 'pipe.xml');
    execFileSync('mkfifo', [pipe]);
    assert.match(errorOf(readPolicyFile(pipe)), /it is a named pipe, not a file$/);
  });

  test('readPolicyFile() refuses a directory and a device', () => {
    assert.match(errorOf(readPolicyFile(directory)), /it is a directory, not a file$/);
    assert.match(errorOf(readPolicyFile('/dev/null')), /it is a device, not a file$/);
  });

  test('readPolicyFile() refuses a file when others can write it', () => {
    for (const mode of [0o664, 0o646, 0o666]) {
      chmodSync(file, mode);
      assert.match(errorOf(readPolicyFile(file)), /written by others.*; run: chmod go-w \//);
    }
  });

  test('readPolicyFile() refuses a file when another user owns it', { skip: asRoot }, () => {
    chownSync(file, 1234, 0);
    assert.match(errorOf(readPolicyFile(file)), /it belongs to uid 1234; run: chown root \//);
  });

  test('readPolicyFile() refuses a directory that others can write', { skip: asRoot }, () => {
    chmodSync(directory, 0o777);
    assert.match(errorOf(readPolicyFile(file)), /its directory .* others; run: chmod go-w \//);
    chmodSync(directory, 0o755);
    chownSync(directory, 1234, 0);
    assert.match(errorOf(readPolicyFile(file)), /its directory .* uid 1234; run: chown root \//);
  });

  test(
    'readPolicyFile() refuses a path on which another user could replace a directory',
    { skip: asRoot },
    () => {
      const below = join(directory, 'of-another', 'ours');
      mkdirSync(below, { recursive: true });
      const path = join(below, 'policy.xml');
      writeFileSync(path, '<a/>');
      assert.equal(valueOf(readPolicyFile(path)), '<a/>');
      chownSync(join(directory, 'of-another'), 1234, 0);
      assert.match(
        errorOf(readPolicyFile(path)),
        /"\/.*\/of-another" above it belongs to uid 1234; /,
      );
      chownSync(join(directory, 'of-another'), 0, 0);
      chmodSync(join(directory, 'of-another'), 0o777);
      assert.match(
        errorOf(readPolicyFile(path)),
        /of-another" above it can be written by others; /,
      );
      assert.equal(valueOf(readForeignFile(path)), '<a/>');
    },
  );

  test('readPolicyFile() refuses a 100 MB file before reading it', () => {
    truncateSync(file, 100e6);
    const before = process.memoryUsage().rss;
    assert.match(errorOf(readPolicyFile(file)), /it has 95.4MiB; the limit is 16MiB$/);
    assert.ok(process.memoryUsage().rss - before < 32 * 2 ** 20);
  });

  test('readPolicyFile() refuses bytes that are not UTF-8', () => {
    writeFileSync(file, Buffer.from([0x3c, 0xe9, 0x3e]));
    assert.match(errorOf(readPolicyFile(file)), /it is not UTF-8: /);
    writeFileSync(file, Buffer.from('\uFEFF<a/>', 'utf16le'));
    assert.match(errorOf(readPolicyFile(file)), /it is UTF-16; save it as UTF-8$/);
  });

  test('readPolicyFile() suggests "bulkhead init" when the file does not exist', () => {
    const error = errorOf(readPolicyFile(join(directory, 'none.xml')));
    assert.match(error, /it does not exist; "bulkhead init" writes a first one$/);
    assert.match(
      errorOf(readPolicyFile(join(directory, 'none', 'policy.xml'))),
      /^Cannot read ".*": it does not exist; "bulkhead init" writes a first one$/,
    );
  });

  test('readPolicyFile() escapes control characters of the name in its error', () => {
    assert.ok(!errorOf(readPolicyFile(join(directory, '\u001b[2J'))).includes('\u001b'));
  });
});

test('readPolicyFile() accepts a sticky directory that root owns', { skip: asRoot }, () => {
  chmodSync(directory, 0o1777);
  assert.equal(valueOf(readPolicyFile(file)), '<a/>');
});

test('readPolicyFile() keeps a byte order mark and line endings', () => {
  writeFileSync(file, '\uFEFF<a>\r\n</a>\r\n');
  assert.equal(valueOf(readPolicyFile(file)), '\uFEFF<a>\r\n</a>\r\n');
});

test('readForeignFile() reads files that other users own', { skip: asRoot }, () => {
  chownSync(file, 1234, 1234);
  chmodSync(file, 0o666);
  assert.equal(valueOf(readForeignFile(file)), '<a/>');
});

test('editPolicyFile() keeps mode and owner, and leaves no other file', { skip: asRoot }, () => {
  chownSync(file, 0, 1234);
  chmodSync(file, 0o640);
  const done = valueOf(editPolicyFile(file, (text) => ok(`${text}<!-- ü -->`)));
  assert.deepEqual(done, { before: '<a/>', after: '<a/><!-- ü -->' });
  const stat = statSync(file);
  assert.deepEqual([stat.mode & 0o7777, stat.uid, stat.gid], [0o640, 0, 1234]);
  assert.equal(readFileSync(file, 'utf8'), '<a/><!-- ü -->');
  assert.deepEqual(leftovers(), []);
});

test('editPolicyFile() does not touch the file when the edit fails or changes nothing', () => {
  const before = statSync(file, { bigint: true });
  assert.deepEqual(
    editPolicyFile(file, () => fail('no')),
    { ok: false, error: 'no' },
  );
  valueOf(editPolicyFile(file, ok));
  const after = statSync(file, { bigint: true });
  assert.deepEqual([after.ino, after.ctimeNs], [before.ino, before.ctimeNs]);
  assert.deepEqual(leftovers(), []);
});

test('editPolicyFile() removes the temporary file of a killed editor, and nothing else', () => {
  writeFileSync(join(directory, '.policy.xml.0123456789abcdef.tmp'), 'half');
  writeFileSync(join(directory, '.policy.xml.swp'), 'of an editor');
  valueOf(editPolicyFile(file, () => ok('<b/>')));
  assert.deepEqual(leftovers(), ['.policy.xml.swp']);
});

test('editPolicyFile() refuses when another program changed the file meanwhile', () => {
  const change: readonly (() => void)[] = [
    () => writeFileSync(file, '<b/>'),
    () => {
      rmSync(file);
      writeFileSync(file, '<a/>');
    },
    () => rmSync(file),
  ];
  for (const act of change) {
    writeFileSync(file, '<a/>');
    const edited = editPolicyFile(file, () => {
      act();
      return ok('<c/>');
    });
    assert.match(errorOf(edited), /changed it meanwhile; run the command/);
    assert.ok(!existsSync(file) || !readFileSync(file, 'utf8').includes('c'));
    assert.deepEqual(leftovers(), []);
  }
});

test('editPolicyFile() refuses a text that is too large to read back', () => {
  const error = errorOf(editPolicyFile(file, () => ok(' '.repeat(17 * 2 ** 20))));
  assert.match(error, /^Cannot write ".*": it has 17.0MiB; the limit is 16MiB$/);
});

test('createFile() makes the directory, and overwrites only when asked', () => {
  const path = join(directory, 'etc', 'policy.xml');
  valueOf(createFile(path, '<a/>'));
  assert.equal(statSync(path).mode & 0o777, 0o600);
  assert.match(errorOf(createFile(path, '<b/>')), /exists already; pass --force/);
  valueOf(createFile(path, '<b/>', { overwrite: true }));
  assert.equal(readFileSync(path, 'utf8'), '<b/>');
  rmSync(path);
  symlinkSync(file, path);
  assert.match(errorOf(createFile(path, '<c/>', { overwrite: true })), /symbolic link/);
  assert.equal(readFileSync(file, 'utf8'), '<a/>');
});

test('createFile() makes one directory, and names the one that is missing above it', () => {
  const path = join(directory, 'none', 'etc', 'policy.xml');
  const reason = `the directory ${join(directory, 'none')} does not exist; create it first`;
  assert.equal(errorOf(createFile(path, '<a/>')), `Cannot write "${path}": ${reason}`);
});
