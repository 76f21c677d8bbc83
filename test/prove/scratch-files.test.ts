/** `prove` creates its homes and sites, and removes only these. */
import assert from 'node:assert/strict';
import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { suite, test } from 'node:test';
import { formatProblem } from '../../packages/base/problem.ts';
import type { Account } from '../../src/policy/policy.ts';
import {
  accountHomesOf,
  freeBytesOf,
  makeFiles,
  removeScratchFiles,
  scratchRoot,
} from '../../src/prove/io/scratch-files.ts';
import { root, paths, put, policyOf, onlyRoot } from './scratch-stage.ts';

suite('scratch files of prove', { skip: onlyRoot }, () => {
  const uids = { attacker: 640_001, neighbour: 640_002, control: 640_003, server: 640_004 };
  const at = join(root, 'scratch');

  test('makeFiles() gives each tenant its own files, and nobody the hidden directory', () => {
    const made = makeFiles(at, uids);
    assert.ok(made.ok, JSON.stringify(made));
    const modes = Object.fromEntries(
      readdirSync(at, { recursive: true, encoding: 'utf8' }).map((name) => {
        const { mode, uid, gid } = lstatSync(join(at, name));
        return [name, `${(mode & 0o7777).toString(8)} ${uid} ${gid}`];
      }),
    );
    assert.deepEqual(modes, {
      attacker: '700 640001 640001',
      neighbour: '700 640002 640002',
      'neighbour/secret': '644 640002 640002',
      control: '700 640003 640003',
      'attacker-site': '755 640001 640001',
      'neighbour-site': '755 640002 640002',
      'neighbour-site/config.php': '644 640002 640002',
      meeting: '750 640001 640002',
      'meeting/shared': '1777 0 0',
      hidden: '700 0 0',
      'hidden/inner': '755 0 0',
      'hidden/inner/secret': '644 0 0',
    });
    assert.equal((statSync(at).mode & 0o7777).toString(8), '711');
    assert.equal(made.value.homes.neighbour, join(at, 'neighbour'));
  });

  test('makeFiles() refuses a directory that exists, and names it', () => {
    const made = makeFiles(at, uids);
    assert.ok(!made.ok);
    assert.equal(formatProblem(made.error), `Cannot make the scratch directory "${at}": it exists`);
  });

  test('removeScratchFiles() removes links and not their targets, and may run twice', () => {
    put('kept/file', 'kept');
    symlinkSync(join(root, 'kept'), join(at, 'attacker/link'));
    assert.ok(removeScratchFiles(at).ok);
    assert.equal(existsSync(at), false);
    assert.equal(readFileSync(join(root, 'kept/file'), 'utf8'), 'kept');
    assert.ok(removeScratchFiles(at).ok);
  });

  test("removeScratchFiles() refuses a link, a file or another account's directory", () => {
    const refused = () => {
      const removed = removeScratchFiles(at);
      return removed.ok ? '' : formatProblem(removed.error);
    };
    const message = `Cannot remove the scratch directory "${at}": it is not a directory of root; look at it`;
    symlinkSync(join(root, 'kept'), at);
    assert.equal(refused(), message);
    rmSync(at);
    writeFileSync(at, '');
    assert.equal(refused(), message);
    rmSync(at);
    mkdirSync(at);
    chownSync(at, 640_001, 640_001);
    assert.equal(refused(), message);
    rmSync(at, { recursive: true });
    assert.deepEqual(readdirSync(join(root, 'kept')), ['file']);
  });

  test('accountHomesOf() skips homes on mounts that may never answer', () => {
    put(
      'proc/self/mountinfo',
      '1 0 8:1 / / rw - ext4 /dev/sda1 rw\n2 1 0:40 / /home/far rw - nfs4 server:/x rw\n3 1 0:41 / /home/fuse rw - fuse.sshfs x rw\n',
    );
    const account = (uid: number, home: string): Account => ({
      user: `u${uid}`,
      uid,
      gid: uid,
      home,
    });
    const homes = ['/home/a', '/home/far/b', '/home/fuse', '/', '/home/a', '/home/fuses'];
    const accounts = homes.map((home, index) => account(1001 + index, home));
    const { policy } = policyOf(
      accounts.map(({ uid }) => `<tenant uid="${uid}"/>`).join(''),
      accounts,
    );
    assert.deepEqual(accountHomesOf(paths, policy), ['/home/a', '/home/fuses']);
    assert.deepEqual(accountHomesOf(paths, undefined), []);
  });

  test('scratchRoot() is next to most homes, if only root can rename there', () => {
    const directory = join(root, 'homes');
    mkdirSync(directory);
    chmodSync(root, 0o755);
    const account = (uid: number): Account => ({
      user: `u${uid}`,
      uid,
      gid: uid,
      home: `${directory}/u${uid}`,
    });
    const accounts = [account(1001), account(1002)];
    const { policy } = policyOf('<tenant uid="1001"/><tenant uid="1002"/>', accounts);
    // /var/tmp above it may be written by all, though its sticky bit keeps the names.
    assert.equal(scratchRoot(paths, policy), `${directory}/.bulkhead-proveparts-prove`);
    chmodSync(directory, 0o777);
    assert.notEqual(dirname(scratchRoot(paths, policy)), directory);
    assert.match(scratchRoot(paths, undefined), /^\/(home|var\/lib)\/\.bulkhead-proveparts-prove$/);
  });

  test('freeBytesOf() returns a number of bytes', () => {
    const free = freeBytesOf(root);
    assert.ok(Number.isInteger(free) && free > 0 && free % 512 === 0, String(free));
  });
});
