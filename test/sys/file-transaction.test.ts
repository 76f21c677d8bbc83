/** Host files that change as one: each step fails once, and each step is the last of a killed run once. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { beforeEach, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { failed, formatProblem } from '../../packages/base/problem.ts';
import { ok } from '../../packages/base/result.ts';
import {
  changeFiles,
  FileTransaction,
  undoUnfinished,
  type FileChange,
} from '../../src/sys/files/file-transaction.ts';
import { contentAfter, putHostFile, readHostFile } from '../../src/sys/files/host-file.ts';
import { testDirectory } from '../../testing/temporary-directory.ts';

let root: string;
let journal: string;
let changes: readonly FileChange[];
beforeEach((t) => {
  root = testDirectory(t, 'transaction', '/var/tmp');
  journal = join(root, 'state/test.journal');
  mkdirSync(join(root, 'etc'));
  writeFileSync(join(root, 'etc/replaced'), 'old\n');
  writeFileSync(join(root, 'etc/removed'), 'gone\n');
  changes = [
    { path: join(root, 'etc/replaced'), before: 'old\n', after: 'new\n' },
    { path: join(root, 'etc/made.d/made'), before: undefined, after: 'made\n', ownDirectory: true },
    { path: join(root, 'etc/removed'), before: 'gone\n', after: undefined },
  ];
});

/** Returns every file and directory, with its content, mode and owner. */
function tree(directory = join(root, 'etc')): Readonly<Record<string, string>> {
  const names = readdirSync(directory, { recursive: true }) as string[];
  return Object.fromEntries(
    names.toSorted().map((name) => {
      const path = join(directory, name);
      const stat = statSync(path);
      const text = stat.isFile() ? readFileSync(path, 'utf8') : '';
      return [name, `${stat.mode.toString(8)} ${stat.uid}:${stat.gid} ${text}`];
    }),
  );
}

const journalsLeft = () =>
  existsSync(join(root, 'state')) ? readdirSync(join(root, 'state')) : [];
const accepted = () => Promise.resolve(ok('accepted'));

test('changeFiles() writes all files, keeps mode and owner, and leaves no journal', async () => {
  chmodSync(join(root, 'etc/replaced'), 0o640);
  const isRoot = process.geteuid?.() === 0;
  if (isRoot) chownSync(join(root, 'etc/replaced'), 0, 1234);
  assert.deepEqual(await changeFiles(journal, changes, accepted), ok('accepted'));
  assert.equal(readFileSync(join(root, 'etc/replaced'), 'utf8'), 'new\n');
  const { mode, gid } = statSync(join(root, 'etc/replaced'));
  assert.deepEqual([mode & 0o7777, gid], [0o640, isRoot ? 1234 : process.getegid?.()]);
  assert.equal(statSync(join(root, 'etc/made.d/made')).mode & 0o7777, 0o644);
  assert.deepEqual(Object.keys(tree()), ['made.d', 'made.d/made', 'replaced']);
  assert.deepEqual(journalsLeft(), []);
});

test('changeFiles() restores everything when the callback fails', async () => {
  chmodSync(join(root, 'etc/removed'), 0o600);
  const before = tree();
  let seen = {};
  const done = await changeFiles(journal, changes, () => {
    seen = tree();
    return Promise.resolve(failed({ action: 'reload', reason: 'it is not accepted' }));
  });
  assert.notDeepEqual(seen, before);
  assert.equal(done.ok ? '' : done.error.reason, 'it is not accepted');
  assert.deepEqual(tree(), before);
  assert.deepEqual(journalsLeft(), []);
});

/** Makes the write of the file at `path` fail: a directory is there. */
const blocked = (path: string) => mkdirSync(join(path, 'in the way'), { recursive: true });

for (const failing of [0, 1, 2])
  test(`undoUnfinished() restores all after file ${failing} could not be written or restored`, () => {
    const before = tree();
    const begun = FileTransaction.begin(journal, changes);
    assert.ok(begun.ok);
    {
      using transaction = begun.value;
      const path = changes[failing]!.path;
      rmSync(path, { force: true });
      blocked(path);
      const written = transaction.write();
      assert.equal(written.ok, false);
      rmSync(path, { recursive: true });
    }
    assert.deepEqual(journalsLeft(), ['test.journal']);
    const { path, before: text } = changes[failing]!;
    if (text === undefined) rmSync(join(root, 'etc/made.d'), { recursive: true, force: true });
    else writeFileSync(path, text);
    assert.deepEqual(undoUnfinished(journal), ok(true));
    assert.deepEqual(tree(), before);
    assert.deepEqual(journalsLeft(), []);
  });

test('changeFiles() restores the other files when one cannot be written', async () => {
  mkdirSync(join(root, 'etc/open'));
  writeFileSync(join(root, 'etc/open/file'), 'as it was\n');
  chmodSync(join(root, 'etc/open'), 0o777);
  const before = tree();
  const open = { path: join(root, 'etc/open/file'), before: 'as it was\n', after: 'other\n' };
  const done = await changeFiles(journal, [...changes, open], accepted);
  assert.match(done.ok ? '' : formatProblem(done.error), /can be written by others/);
  assert.deepEqual(tree(), before);
  assert.deepEqual(journalsLeft(), []);
});

test('changeFiles() writes nothing when the journal cannot be written', async () => {
  const before = tree();
  writeFileSync(join(root, 'state'), '');
  assert.equal((await changeFiles(journal, changes, accepted)).ok, false);
  assert.deepEqual(tree(), before);
});

test('changeFiles() reports a journal that cannot be removed', async () => {
  const done = await changeFiles(journal, changes, () => {
    rmSync(journal);
    blocked(journal);
    return accepted();
  });
  assert.match(done.ok ? '' : formatProblem(done.error), /^Cannot remove ".*test\.journal"/);
});

test('changeFiles() writes nothing when another program has changed a file', async () => {
  writeFileSync(join(root, 'etc/removed'), 'other\n');
  const before = tree();
  const done = await changeFiles(journal, changes, accepted);
  assert.match(done.ok ? '' : formatProblem(done.error), /another program changed it meanwhile/);
  assert.deepEqual(tree(), before);
  assert.deepEqual(journalsLeft(), []);
});

test('changeFiles() follows no symbolic link anywhere on the path', async () => {
  mkdirSync(join(root, 'elsewhere/d'), { recursive: true });
  symlinkSync(join(root, 'elsewhere'), join(root, 'etc/link'));
  symlinkSync(join(root, 'elsewhere/target'), join(root, 'etc/file'));
  for (const path of ['etc/link/d/file', 'etc/link/file', 'etc/file']) {
    const change = { path: join(root, path), before: undefined, after: 'text' };
    assert.equal((await changeFiles(journal, [change], accepted)).ok, false, path);
  }
  assert.deepEqual(readdirSync(join(root, 'elsewhere'), { recursive: true }), ['d']);
});

test('undoUnfinished() undoes a run that was killed after any number of its writes', () => {
  const before = tree();
  assert.deepEqual(undoUnfinished(journal), ok(false));
  for (let writes = 0; writes <= changes.length; writes++) {
    const begun = FileTransaction.begin(journal, changes);
    assert.ok(begun.ok);
    // The kernel releases the lock of a killed process as this does.
    begun.value[Symbol.dispose]();
    for (const { after, ...file } of changes.slice(0, writes)) {
      const read = readHostFile(file);
      assert.ok(read.ok);
      assert.ok(
        putHostFile(file, after === undefined ? undefined : contentAfter(read.value, after)).ok,
      );
    }
    writeFileSync(join(root, 'etc/.replaced.0123456789abcdef.tmp'), 'half of i');
    assert.deepEqual(undoUnfinished(journal), ok(true));
    rmSync(join(root, 'etc/.replaced.0123456789abcdef.tmp'), { force: true });
    assert.deepEqual(tree(), before, `${writes} writes`);
    assert.deepEqual(journalsLeft(), []);
  }
});

test('undoUnfinished() continues when an earlier undo was killed', () => {
  const before = tree();
  const begun = FileTransaction.begin(journal, changes);
  assert.ok(begun.ok);
  assert.ok(begun.value.write().ok);
  begun.value[Symbol.dispose]();
  // The last file was restored already.
  writeFileSync(join(root, 'etc/removed'), 'gone\n');
  assert.deepEqual(undoUnfinished(journal), ok(true));
  assert.deepEqual(tree(), before);
});

test('undoUnfinished() restores nothing when a file was changed by hand since', () => {
  const begun = FileTransaction.begin(journal, changes);
  assert.ok(begun.ok);
  assert.ok(begun.value.write().ok);
  begun.value[Symbol.dispose]();
  writeFileSync(join(root, 'etc/replaced'), 'by hand\n');
  const before = tree();
  assert.deepEqual(undoUnfinished(journal), ok(true));
  assert.deepEqual(tree(), before);
  assert.deepEqual(journalsLeft(), []);
});

test('undoUnfinished() says to remove a damaged journal', () => {
  mkdirSync(join(root, 'state'));
  writeFileSync(journal, '[{"file":', { mode: 0o600 });
  const undone = undoUnfinished(journal);
  assert.match(undone.ok ? '' : formatProblem(undone.error), /it is damaged; remove it/);
});

test('changeFiles() first undoes a run that was killed in its callback', async () => {
  const before = tree();
  const module = fileURLToPath(new URL('../../src/sys/files/file-transaction.ts', import.meta.url));
  const script = `
    const { changeFiles } = await import(${JSON.stringify(module)});
    await changeFiles(${JSON.stringify(journal)}, ${JSON.stringify(changes)}, () => process.kill(process.pid, 'SIGKILL'));`;
  const { signal } = spawnSync(process.execPath, ['--input-type=module', '-e', script]);
  assert.equal(signal, 'SIGKILL');
  assert.notDeepEqual(tree(), before);
  assert.deepEqual(await changeFiles(journal, changes, accepted), ok('accepted'));
  assert.deepEqual(Object.keys(tree()), ['made.d', 'made.d/made', 'replaced']);
  assert.deepEqual(journalsLeft(), []);
});
