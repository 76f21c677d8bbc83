/** Hooks of panels: they are added next to the administrator's own lines, taken out again, and answer at once. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { suite, test, type TestContext } from 'node:test';
import { formatProblem } from '../../packages/base/problem.ts';
import { addBlock, canQuote, removeBlock } from '../../src/panel/core/hook-text.ts';
import {
  disableHooks,
  enableHooks,
  hookProgram,
  surveyHooks,
} from '../../src/panel/io/hooks/panel-hooks.ts';
import { packageFile } from '../../src/sys/package-files.ts';
import type { PanelHooksStatusJson } from '../../src/panel/commands/json.ts';
import { jsonOf } from '../../testing/json-output.ts';
import { runWithPanel } from '../../testing/panel-namespace.ts';
import {
  cpapiPanel,
  hestiaPackage,
  hestiaUser,
  panelTree,
  plain,
  type PanelTree,
} from '../../testing/panel-tree.ts';
import { eventually } from '../../testing/patience.ts';
import { lockFile } from '../../src/sys/files/flock.ts';
import { temporaryDirectory } from '../../testing/temporary-directory.ts';

const skip = process.geteuid?.() === 0 ? false : 'only root may change hooks';

/** Below /root, which others cannot write. */
function panel(t: TestContext): PanelTree {
  const made = temporaryDirectory('hooks', '/root');
  t.after(() => made.remove());
  const tree = panelTree(made.path, { ann: 1001 });
  return { ...tree, paths: { ...tree.paths, state: `${made.path}/state` } };
}

const problemsOf = (done: Awaited<ReturnType<typeof enableHooks>>) => {
  assert.ok(done.ok, done.ok ? '' : formatProblem(done.error));
  return done.value.map(formatProblem);
};

const states = async (tree: PanelTree) =>
  (await surveyHooks(tree)).flatMap(({ hooks }) =>
    hooks.map(({ where, isEnabled }) => `${where.replace(/.*\//, '')} ${isEnabled}`),
  );

suite('the text of a hook', () => {
  const program = '/usr/libexec/bulkhead/libexec/bulkhead-panel-hook';
  for (const own of [
    '#!/bin/bash\nset -e\necho mine\nexit 0\n',
    '#!/bin/sh\n',
    '#! /usr/bin/env bash\nexit 1',
    '#!/bin/sh -e',
    '#!/bin/sh\r\nexit 0\r\n',
  ])
    test(`is added to and taken out of ${JSON.stringify(own)}`, () => {
      const added = addBlock(own, program);
      assert.ok(added.ok);
      assert.ok(added.value.startsWith(own.split('\n')[0] ?? ''));
      assert.deepEqual(addBlock(added.value, program), added);
      const back = removeBlock(added.value);
      // A script without anything but its first line is nobody's.
      assert.equal(
        back ?? '#!/bin/sh\n',
        own.endsWith('\n') || own.includes('\n') ? own : `${own}\n`,
      );
    });

  test('is added only to shell scripts', () => {
    for (const own of ['#!/usr/bin/perl\n', '', '\u007fELF', '#!/usr/bin/php\n#!/bin/sh\n'])
      assert.ok(!addBlock(own, program).ok, own);
  });

  test('stays if its end was removed, and never quotes a path that needs more', () => {
    const cut = '#!/bin/sh\n# bulkhead: begin (bulkhead panel hooks disable)\nx\n';
    assert.equal(removeBlock(cut), cut);
    for (const path of ["/a'b", '/a b', '/a$b', '/a\nb', 'a']) assert.ok(!canQuote(path), path);
  });
});

suite('hooks of HestiaCP', { skip }, () => {
  const script = ({ root }: PanelTree, name: string) =>
    `${root}/usr/local/hestia/data/packages/${name}.sh`;

  test("keep the administrator's lines, mode and owner, and give them back", async (t) => {
    const tree = panel(t);
    for (const name of ['gold', 'basic']) hestiaPackage(tree, name);
    hestiaUser(tree, 'ann');
    const own = '#!/bin/bash\n# mine\necho "$1"\nexit 3\n';
    writeFileSync(script(tree, 'gold'), own, { mode: 0o750 });
    chmodSync(script(tree, 'gold'), 0o750);
    assert.deepEqual(problemsOf(await enableHooks(tree)), []);
    const text = readFileSync(script(tree, 'gold'), 'utf8');
    assert.match(text, /^#!\/bin\/bash\n# bulkhead: begin/);
    assert.ok(text.endsWith(own.slice('#!/bin/bash\n'.length)));
    assert.equal(statSync(script(tree, 'gold')).mode & 0o777, 0o750);
    assert.equal(statSync(script(tree, 'basic')).mode & 0o777, 0o755);
    assert.deepEqual(await states(tree), ['basic.sh true', 'gold.sh true']);
    const { ino } = lstatSync(script(tree, 'gold'));
    assert.deepEqual(problemsOf(await enableHooks(tree)), []);
    assert.equal(lstatSync(script(tree, 'gold')).ino, ino);
    // The package is gone, and its script stays behind.
    rmSync(script(tree, 'basic').replace('.sh', '.pkg'));
    assert.deepEqual(problemsOf(await disableHooks(tree)), []);
    assert.equal(readFileSync(script(tree, 'gold'), 'utf8'), own);
    assert.ok(!existsSync(script(tree, 'basic')));
  });

  test('follow no link, and need an executable shell script', async (t) => {
    const tree = panel(t);
    for (const name of ['link', 'perl', 'plain', 'good']) hestiaPackage(tree, name);
    hestiaUser(tree, 'ann');
    const target = `${tree.root}/target`;
    writeFileSync(target, '#!/bin/sh\n');
    symlinkSync(target, script(tree, 'link'));
    writeFileSync(script(tree, 'perl'), '#!/usr/bin/perl\n', { mode: 0o755 });
    writeFileSync(script(tree, 'plain'), '#!/bin/sh\n', { mode: 0o644 });
    const problems = problemsOf(await enableHooks(tree)).join('\n');
    assert.match(problems, /link\.sh.*symbolic link/);
    assert.match(problems, /perl\.sh.*its first line names no shell/);
    assert.match(problems, /plain\.sh.*it is not executable/);
    assert.equal(readFileSync(target, 'utf8'), '#!/bin/sh\n');
    assert.ok((await states(tree)).includes('good.sh true'));
    problemsOf(await disableHooks(tree));
    assert.ok(!existsSync(script(tree, 'good')));
  });

  test('keep every byte of a script that is not UTF-8, or that lost the end of our lines', async (t) => {
    const tree = panel(t);
    hestiaUser(tree, 'ann');
    for (const name of ['latin', 'cut']) hestiaPackage(tree, name);
    const latin = Buffer.from('#!/bin/sh\necho \xe9\n', 'latin1');
    writeFileSync(script(tree, 'latin'), latin, { mode: 0o755 });
    const cut = '#!/bin/sh\n# bulkhead: begin (bulkhead panel hooks disable)\nmine\n';
    writeFileSync(script(tree, 'cut'), cut, { mode: 0o755 });
    for (const act of [enableHooks, disableHooks]) {
      const problems = problemsOf(await act(tree)).join('\n');
      assert.match(problems, /latin\.sh.*it is not UTF-8/);
      assert.match(problems, /cut\.sh.*the end of Bulkhead's lines in it is missing/);
    }
    assert.deepEqual(readFileSync(script(tree, 'latin')), latin);
    assert.equal(readFileSync(script(tree, 'cut'), 'utf8'), cut);
  });

  test('change nothing if another account could replace them', async (t) => {
    const tree = panel(t);
    hestiaPackage(tree, 'gold');
    hestiaUser(tree, 'ann');
    chmodSync(`${tree.root}/usr/local/hestia/data/packages`, 0o777);
    const done = await enableHooks(tree);
    assert.ok(!done.ok);
    assert.ok(!existsSync(script(tree, 'gold')));
  });

  test('are added by the command', async (t) => {
    const tree = panel(t);
    hestiaPackage(tree, 'gold');
    hestiaUser(tree, 'ann');
    const run = (...words: readonly string[]) =>
      runWithPanel(tree, [
        packageFile('bulkhead'),
        '--instance',
        'bulkhead-hooks',
        'panel',
        'hooks',
        ...words,
      ]);
    t.after(() => {
      for (const each of ['/var/lib/bulkhead-hooks', '/run/bulkhead-hooks'])
        rmSync(each, { recursive: true, force: true });
    });
    const enabled = run('enable');
    assert.equal(enabled.status, 0, enabled.stderr);
    assert.match(enabled.stdout, /gold\.sh +calls Bulkhead/);
    const ran = run('status', '--json');
    const { hooks } = jsonOf<PanelHooksStatusJson>('panel hooks status', ran.stdout);
    assert.deepEqual(hooks, [
      {
        panel: 'HestiaCP',
        where: '/usr/local/hestia/data/packages/gold.sh',
        enabled: true,
      },
    ]);
    assert.match(readFileSync(script(tree, 'gold'), 'utf8'), /bulkhead-panel-hook/);
  });
});

suite('hooks of other panels', { skip }, () => {
  test('of DirectAdmin are files of their own', async (t) => {
    const tree = panel(t);
    const custom = '/usr/local/directadmin/scripts/custom';
    tree.write('/usr/local/directadmin/data/users/ann/user.conf', plain({ usertype: 'user' }));
    tree.write(`${custom}/user_modify_post/mine.sh`, 'mine', 0o755);
    tree.write(`${custom}/user_destroy_post/bulkhead.sh`, '#!/bin/sh\nmine\n', 0o755);
    assert.deepEqual(problemsOf(await enableHooks(tree)), []);
    const own = `${tree.root}${custom}/user_destroy_post/bulkhead.sh`;
    assert.match(readFileSync(own, 'utf8'), /^#!\/bin\/sh\n# bulkhead: begin[\s\S]*\nmine\n$/);
    assert.match(
      readFileSync(`${tree.root}${custom}/user_modify_post/bulkhead.sh`, 'utf8'),
      /^#!\/bin\/sh\n/,
    );
    problemsOf(await disableHooks(tree));
    assert.ok(!existsSync(`${tree.root}${custom}/user_info_modify_post`));
    assert.equal(readFileSync(`${tree.root}${custom}/user_modify_post/mine.sh`, 'utf8'), 'mine');
    assert.equal(readFileSync(own, 'utf8'), '#!/bin/sh\nmine\n');
  });

  test("of CPAPI run by a shell and by Python, and CloudLinux's own stay", async (t) => {
    const tree = panel(t);
    cpapiPanel(tree, { users: { data: [] } });
    const hooks = `${tree.root}/usr/share/cloudlinux/hooks`;
    tree.write('/usr/share/cloudlinux/hooks/post_modify_admin.py', '#!/usr/bin/python3\n', 0o755);
    const problems = problemsOf(await enableHooks(tree));
    assert.match(problems.join(), /post_modify_admin\.py.*another program has written it/);
    const path = `${hooks}/post_modify_user.py`;
    const text = readFileSync(path, 'utf8');
    const called = `${tree.root}/called`;
    const stand = `${tree.root}/stand-in`;
    writeFileSync(stand, `#!/bin/sh\necho x >>${called}\n`, { mode: 0o755 });
    writeFileSync(path, text.replaceAll(hookProgram(), stand));
    const args = ['create', '--username', 'ann', '--owner', 'root'];
    for (const words of [[path], ['sh', path], ['python3', path]]) {
      const [program = '', ...rest] = words;
      const { status, stderr, error } = spawnSync(program, [...rest, ...args], {
        encoding: 'utf8',
      });
      if (program === 'python3' && error !== undefined) continue;
      assert.equal(status, 0, stderr);
    }
    assert.match(readFileSync(called, 'utf8'), /^(?:x\n){2,3}$/);
    rmSync(stand);
    assert.equal(spawnSync(path, args).status, 0);
    const edited = `${readFileSync(path, 'utf8')}# mine\n`;
    writeFileSync(path, edited);
    assert.match(
      problemsOf(await enableHooks(tree)).join(),
      /post_modify_user\.py.*another program/,
    );
    assert.match(problemsOf(await disableHooks(tree)).join(), /somebody has changed it/);
    assert.equal(readFileSync(path, 'utf8'), edited);
    assert.ok(!existsSync(path.replace('user', 'package')));
  });

  test('of cPanel are in its registry', async (t) => {
    const tree = panel(t);
    tree.write('/var/cpanel/users/ann', plain({ PLAN: 'gold' }));
    const registry = `${tree.root}/registry`;
    writeFileSync(registry, '');
    // Plays cPanel's program: a registry of lines.
    tree.write(
      '/usr/local/cpanel/bin/manage_hooks',
      `#!/bin/sh
case "$1" in
  list) cat ${registry} ;;
  add) printf '%s\\n' "$*" | sed 's/^add //' >>${registry} ;;
  delete) line=$(printf '%s' "$*" | sed 's/^delete //'); grep -vxF -- "$line" ${registry} >${registry}.new; mv ${registry}.new ${registry} ;;
esac
`,
      0o755,
    );
    assert.deepEqual(problemsOf(await enableHooks(tree)), []);
    const lines = readFileSync(registry, 'utf8').trim().split('\n');
    assert.equal(lines.length, 4);
    assert.equal(
      lines[0],
      `script ${hookProgram()} --manual --category Whostmgr --event Accounts::Create --stage post`,
    );
    // A part of them was removed by hand.
    writeFileSync(registry, `${lines.slice(0, 2).join('\n')}\nscript /mine\n`);
    assert.deepEqual(problemsOf(await enableHooks(tree)), []);
    const again = readFileSync(registry, 'utf8').trim().split('\n');
    assert.deepEqual(again.toSorted(), [...lines, 'script /mine'].toSorted());
    writeFileSync(registry, `${lines.join('\n')}\n`);
    assert.deepEqual(problemsOf(await enableHooks(tree)), []);
    assert.equal(readFileSync(registry, 'utf8').trim().split('\n').length, 4);
    assert.equal((await states(tree)).filter((each) => each.endsWith('true')).length, 4);
    assert.deepEqual(problemsOf(await disableHooks(tree)), []);
    assert.equal(readFileSync(registry, 'utf8'), '');
  });
});

suite('bulkhead-panel-hook', () => {
  test('answers while the panel is still being read, and never fails', async (t) => {
    const made = temporaryDirectory('hook');
    t.after(() => made.remove());
    mkdirSync(`${made.path}/libexec`);
    const hook = `${made.path}/libexec/bulkhead-panel-hook`;
    copyFileSync(packageFile('libexec/bulkhead-panel-hook'), hook);
    assert.equal(spawnSync(hook).status, 0);
    const gate = `${made.path}/gate`;
    assert.equal(spawnSync('mkfifo', [gate]).status, 0);
    const done = `${made.path}/done`;
    writeFileSync(
      `${made.path}/bulkhead`,
      `#!/bin/sh\ncat ${gate}\necho "$@$NODE_OPTIONS" >${done}\n`,
      {
        mode: 0o755,
      },
    );
    // It would wait for the gate, if the hook waited for it.
    const env = { ...process.env, NODE_OPTIONS: '--require=/tmp/x' };
    assert.equal(spawnSync(hook, { input: 'secret', env }).status, 0);
    assert.ok(!existsSync(done));
    writeFileSync(gate, '');
    await eventually('the panel is read', () => existsSync(done));
    await eventually('with its words', () => readFileSync(done, 'utf8') === 'panel sync\n');
  });

  test(
    'leaves a mark for a running agent, and starts the program if there is none',
    { skip },
    async (t) => {
      const made = temporaryDirectory('hook', '/root');
      t.after(() => made.remove());
      const [runtime, started] = [`${made.path}/run`, `${made.path}/started`];
      for (const each of ['libexec', 'run']) mkdirSync(`${made.path}/${each}`);
      const hook = `${made.path}/libexec/bulkhead-panel-hook`;
      const text = readFileSync(packageFile('libexec/bulkhead-panel-hook'), 'utf8');
      writeFileSync(hook, text.replace('=/run/bulkhead\n', `=${runtime}\n`), { mode: 0o755 });
      writeFileSync(`${made.path}/bulkhead`, `#!/bin/sh\necho >>${started}\n`, { mode: 0o755 });
      const starts = () => (existsSync(started) ? readFileSync(started, 'utf8').length : 0);
      const call = () => assert.equal(spawnSync(hook).status, 0);
      const mark = `${runtime}/panel-changed`;
      const lock = (name: string) => {
        const locked = lockFile(`${runtime}/${name}`, { waitMs: 0 });
        assert.ok(locked.ok);
        return locked.value;
      };
      {
        using _agent = lock('agent.lock');
        call();
        call();
        assert.ok(existsSync(mark));
        rmSync(mark);
      }
      call();
      await eventually('the program has started', () => starts() === 1);
      assert.ok(!existsSync(mark));
      {
        using _next = lock('panel-next.lock');
        call();
      }
      // Its file may outlive an agent that was killed.
      writeFileSync(`${runtime}/agent.lock`, '1\n');
      call();
      await eventually('only the calls without a reader have started it', () => starts() === 2);
      assert.ok(!existsSync(mark));
    },
  );
});
