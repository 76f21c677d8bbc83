/** The record that `bulkhead panel sync` keeps of a reading, and never loses by a bad one. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import {
  chmodSync,
  existsSync,
  lstatSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { suite, test, type TestContext } from 'node:test';
import { formatProblem } from '../../packages/base/problem.ts';
import { panelRecordPath, readPanelRecord } from '../../src/host/panel-record.ts';
import { panelDomains } from '../../src/panel/commands/main-domains.ts';
import { syncPanel } from '../../src/panel/io/sync.ts';
import type { FollowedSource } from '../../src/policy/panel/panel-element.ts';
import { isLocked, lockFile } from '../../src/sys/files/flock.ts';
import { hestiaPackage, hestiaUser, panelTree, type PanelTree } from '../../testing/panel-tree.ts';
import { eventually } from '../../testing/patience.ts';
import { testDirectory } from '../../testing/temporary-directory.ts';

const skip = process.geteuid?.() === 0 ? false : 'only files of root count';

function panel(t: TestContext): PanelTree {
  const directory = testDirectory(t, 'panel-sync');
  const tree = panelTree(directory, { ann: 1001, ben: 1002, cleo: 1003 });
  const paths = { ...tree.paths, state: `${directory}/state`, runtime: `${directory}/run` };
  const made = { ...tree, paths };
  hestiaPackage(made, 'gold');
  hestiaPackage(made, 'basic');
  hestiaUser(made, 'ann', { PACKAGE: 'gold' });
  hestiaUser(made, 'ben', { PACKAGE: 'basic' });
  return made;
}

const userConf = ({ root }: PanelTree, user: string) =>
  `${root}/usr/local/hestia/data/users/${user}/user.conf`;

async function sync(tree: PanelTree, source: FollowedSource = 'auto') {
  const done = await syncPanel(tree, source);
  assert.ok(done.ok, done.ok ? '' : formatProblem(done.error));
  assert.ok(done.value !== undefined);
  return done.value;
}

function plans(tree: PanelTree) {
  const read = readPanelRecord(tree.paths);
  assert.ok(read?.ok);
  return read.value.members.map(({ user, plan, mail }) => `${user} ${plan?.name} ${mail}`);
}

const all = ['ann gold ann@mail.example', 'ben basic ben@mail.example'];

suite('syncPanel()', { skip }, () => {
  test('keeps plans and addresses in a file of root, and tells what has changed', async (t) => {
    const tree = panel(t);
    assert.deepEqual((await sync(tree)).changes, {
      added: ['ann', 'ben'],
      changed: [],
      removed: [],
    });
    assert.deepEqual(plans(tree), all);
    assert.equal(lstatSync(panelRecordPath(tree.paths)).mode & 0o777, 0o600);
    const before = lstatSync(panelRecordPath(tree.paths)).ino;
    assert.deepEqual((await sync(tree)).changes, { added: [], changed: [], removed: [] });
    assert.equal(lstatSync(panelRecordPath(tree.paths)).ino, before);
    hestiaUser(tree, 'cleo', { PACKAGE: 'gold' });
    hestiaUser(tree, 'ann', { PACKAGE: 'basic' });
    rmSync(userConf(tree, 'ben').replace('/user.conf', ''), { recursive: true });
    assert.deepEqual((await sync(tree)).changes, {
      added: ['cleo'],
      changed: ['ann'],
      removed: ['ben'],
    });
  });

  test('keeps an account whose file cannot be used, until the account is gone', async (t) => {
    const tree = panel(t);
    await sync(tree);
    rmSync(userConf(tree, 'ann'));
    symlinkSync('/etc/shadow', userConf(tree, 'ann'));
    assert.ok((await sync(tree)).data.problems.length > 0);
    assert.deepEqual(plans(tree), all);
    // While a directory service is down, an account seems to be gone.
    tree.write('/etc/passwd', 'ben:x:1002:1002::/home/ben:/bin/sh\n');
    await sync(tree);
    assert.deepEqual(plans(tree), all);
    tree.write('/etc/passwd', 'ben:x:1002:1002::/home/ben:/bin/sh\nann:x:1077:1077::/:/bin/sh\n');
    await sync(tree);
    assert.deepEqual(plans(tree), all.slice(1));
  });

  test('keeps plans when the panel lost its packages', async (t) => {
    const tree = panel(t);
    await sync(tree);
    rmSync(`${tree.root}/usr/local/hestia/data/packages`, { recursive: true });
    await sync(tree);
    assert.deepEqual(plans(tree), all);
  });

  test('keeps everything when others could have written all files, or the panel is gone', async (t) => {
    const tree = panel(t);
    await sync(tree);
    for (const user of ['ann', 'ben']) chmodSync(userConf(tree, user), 0o666);
    const written = await syncPanel(tree, 'auto');
    assert.ok(!written.ok);
    assert.match(formatProblem(written.error), /the last record stays in force/);
    rmSync(`${tree.root}/usr/local/hestia`, { recursive: true });
    const gone = await syncPanel(tree, 'auto');
    assert.ok(!gone.ok);
    assert.match(
      formatProblem(gone.error),
      /^Cannot read the panel: HestiaCP is gone from \/usr\/local\/hestia; the last record stays/,
    );
    assert.deepEqual(plans(tree), all);
  });

  test('keeps everything when the panel states nobody, though nothing is wrong with it', async (t) => {
    const tree = panel(t);
    await sync(tree);
    for (const user of ['ann', 'ben'])
      rmSync(userConf(tree, user).replace('/user.conf', ''), { recursive: true });
    const empty = await syncPanel(tree, 'auto');
    assert.ok(!empty.ok);
    assert.match(formatProblem(empty.error), /it states none; the last record stays in force/);
    assert.deepEqual(plans(tree), all);
  });

  test('is not frozen by what a customer wrote: only unreadable parts stay as they were', async (t) => {
    const tree = panel(t);
    await sync(tree);
    hestiaUser(tree, 'ben', { PACKAGE: 'basic', CONTACT: 'a,b@x' });
    rmSync(userConf(tree, 'ann').replace('/user.conf', ''), { recursive: true });
    await sync(tree);
    assert.deepEqual(plans(tree), ['ben basic undefined']);
  });

  test('stays with the panel that it read before, until the policy names another', async (t) => {
    const tree = panel(t);
    await sync(tree);
    rmSync(`${tree.root}/usr/local/hestia`, { recursive: true });
    tree.write('/var/cpanel/users/ann', 'PLAN=other\nDNS=ann.example\n');
    assert.ok(!(await syncPanel(tree, 'auto')).ok);
    assert.deepEqual(plans(tree), all);
    await sync(tree, 'cpanel');
    assert.equal(plans(tree).length, 1);
  });

  test('holds its lock until it is done', async (t) => {
    const tree = panel(t);
    const running = syncPanel(tree, 'auto');
    assert.ok(isLocked(`${tree.paths.runtime}/panel-sync.lock`));
    await running;
    assert.ok(!isLocked(`${tree.paths.runtime}/panel-sync.lock`));
  });

  test('reads only the panel that the policy follows', async (t) => {
    const tree = panel(t);
    const other = await syncPanel(tree, 'directadmin');
    assert.ok(!other.ok);
    assert.match(formatProblem(other.error), /this host has no "directadmin"/);
    assert.ok(!existsSync(panelRecordPath(tree.paths)));
  });

  test('replaces a damaged record, and a link in its place', async (t) => {
    const tree = panel(t);
    await sync(tree);
    const path = panelRecordPath(tree.paths);
    writeFileSync(path, '{"kind":"bulkhead-panel","version":1,"members":[');
    assert.deepEqual((await sync(tree)).changes.added, ['ann', 'ben']);
    const target = `${tree.root}/target`;
    writeFileSync(target, 'kept');
    rmSync(path);
    symlinkSync(target, path);
    assert.equal(readPanelRecord(tree.paths)?.ok, false);
    await sync(tree);
    assert.ok(lstatSync(path).isFile());
    assert.deepEqual(plans(tree), all);
  });

  test('lets one that waits read for all others that come meanwhile', async (t) => {
    const tree = panel(t);
    await sync(tree);
    const waiting = lockFile(`${tree.paths.runtime}/panel-next.lock`, { waitMs: 0 });
    assert.ok(waiting.ok);
    hestiaUser(tree, 'cleo', { PACKAGE: 'gold' });
    const answers = await Promise.all(Array.from({ length: 1000 }, () => syncPanel(tree, 'auto')));
    assert.ok(answers.every((each) => each.ok && each.value === undefined));
    waiting.value.release();
    await eventually('the next one reads', async () => {
      const next = await syncPanel(tree, 'auto');
      return next.ok && next.value?.changes.added[0] === 'cleo';
    });
  });
});

suite('panelDomains()', { skip }, () => {
  test('takes the main domains from the last sync, and from the panel if that is old', async (t) => {
    const tree = panel(t);
    hestiaUser(tree, 'ann', { PACKAGE: 'gold' }, ['ann.example', 'other.example']);
    const found = async () => Object.fromEntries(await panelDomains(tree.paths, tree.root));
    assert.deepEqual(await found(), { 1001: 'ann.example' });
    await sync(tree);
    hestiaUser(tree, 'ann', { PACKAGE: 'gold' }, ['new.example']);
    assert.deepEqual(await found(), { 1001: 'ann.example' });
    const file = `${tree.paths.runtime}/panel-domains.json`;
    const kept = readFileSync(file, 'utf8');
    const old = { ...JSON.parse(kept), readAt: Date.now() - 3_600_000 };
    for (const text of [JSON.stringify(old), kept.slice(0, -5), '{"readAt":1,"domains":[[1]]}']) {
      writeFileSync(file, text);
      assert.deepEqual(await found(), { 1001: 'new.example' }, text);
    }
    assert.equal(lstatSync(file).mode & 0o777, 0o600);
  });
});
