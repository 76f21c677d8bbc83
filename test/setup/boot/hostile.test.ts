/** `setup boot` with damaged files, failing programs, and interruptions at every instant: nothing, or all of it. */
import '../../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { existsSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { suite, test } from 'node:test';
import { formatProblem } from '../../../packages/base/problem.ts';
import { undoBootOptions } from '../../../src/setup/commands/boot/undo.ts';
import {
  at,
  boot,
  bootJson,
  entryOf,
  host,
  paths,
  read,
  stage,
  tree,
  undo,
  useHost,
  withGrub,
  withGrubby,
  withSystemdBoot,
  write,
} from './stage.ts';

useHost();

const record = 'var/lib/bulkhead/setup-boot.json';

/** Runs it, and checks that nothing was done. */
async function refusal(options: Parameters<typeof boot>[0] = { yes: true }): Promise<string> {
  const before = tree();
  const { status, errors } = await boot(options);
  assert.notEqual(status, 0);
  assert.deepEqual(tree(), before);
  return errors;
}

suite('setup boot refuses', () => {
  test('a symbolic link in place of a file', async () => {
    withGrub();
    write('secret', 'x\n');
    rmSync(at('etc/default/grub'));
    symlinkSync(at('secret'), at('etc/default/grub'));
    assert.match(await refusal(), /etc\/default\/grub/);
    rmSync(at('etc/default/grub'));
    withGrub();
    write('etc/default/grub.d/x', '');
    symlinkSync(at('secret'), at('etc/default/grub.d/90-bulkhead.cfg'));
    assert.match(await refusal(), /90-bulkhead\.cfg/);
    assert.equal(read('secret'), 'x\n');
  });

  test('a huge file, Windows line ends, NUL bytes and what is no UTF-8', async () => {
    withGrub();
    for (const [bytes, expected] of [
      [Buffer.alloc(2 ** 20 + 1, '#'), /the limit is 1048576/],
      [Buffer.from('GRUB_TIMEOUT=5\r\n'), /Windows line ends/],
      [Buffer.from('A=\0\n'), /NUL byte/],
      [Buffer.from([0x23, 0xff, 0x0a]), /not text in UTF-8/],
    ] as const) {
      writeFileSync(at('etc/default/grub'), bytes);
      assert.match(await refusal(), expected);
    }
  });

  test('an lsm= that is given twice, or that this kernel was not booted with', async () => {
    withGrub('lsm=a');
    write('etc/default/grub.d/50-other.cfg', 'GRUB_CMDLINE_LINUX="lsm=b"\n#lsm=c\n');
    assert.match(await refusal(), /"lsm=" is given 2 times: lsm=a lsm=b; leave one/);
    rmSync(at('etc/default/grub.d/50-other.cfg'));
    assert.match(await refusal(), /it has lsm=a, and this kernel was booted without it/);
  });

  test('a file of its name that no record explains', async () => {
    withGrub();
    write('etc/default/grub.d/90-bulkhead.cfg', '# mine\n');
    assert.match(await refusal(), /no record says that Bulkhead wrote it/);
  });

  test('quotes or several lines in /etc/kernel/cmdline', async () => {
    for (const text of ['ro "a b"\n', 'ro\nquiet\n', '# why\n']) {
      withSystemdBoot(text);
      assert.match(await refusal(), /quotes, a comment or several lines/);
      rmSync(at('usr/bin/kernel-install'));
      withGrubby('quiet');
      write('etc/kernel/cmdline', text);
      assert.match(await refusal(), /quotes, a comment or several lines/);
      rmSync(at('usr/sbin/grubby'));
    }
  });

  test('a damaged record', async () => {
    withGrub();
    write(record, '{"version":1,');
    assert.match(await refusal(), /it is damaged/);
    assert.match(await refusal(undo), /it is damaged/);
  });

  test('to act when nobody can be asked', async () => {
    withGrub();
    assert.match(await refusal({}), /nobody can be asked here; add --yes/);
    await boot();
    assert.match(await refusal({ undo: true }), /nobody can be asked here/);
  });

  test('a kernel that was built without BPF, in words', async () => {
    write('boot/config-6.12.1', 'CONFIG_PSI=y\n');
    withGrub();
    const { options, words } = await bootJson({ dryRun: true });
    const lsm = options.find(({ name }) => name === 'lsm');
    assert.deepEqual([lsm?.state, words], ['not possible', ['psi=1']]);
    assert.match(lsm?.reason ?? '', /built without CONFIG_BPF_LSM/);
  });
});

const loaders = {
  grub: () => withGrub(),
  grubby: () => withGrubby('quiet'),
  'systemd-boot': () => {
    withSystemdBoot('root=/dev/vda1 ro\n');
    stage.answer(['kernel-install', 'add', '6.12.1']);
  },
};

for (const [name, prepare] of Object.entries(loaders))
  suite(`setup boot with ${name}`, () => {
    test('restores everything if a program fails, before and after it has written', async () => {
      prepare();
      const before = tree();
      const { answer } = stage;
      for (const writes of [false, true]) {
        let failures = 1;
        stage.answer = (command) => {
          const isQuestion = command.includes('--info=ALL');
          const text = isQuestion || writes || failures === 0 ? answer(command) : '';
          return isQuestion || failures-- <= 0 ? text : undefined;
        };
        const { status, errors } = await boot();
        assert.equal(status, 1);
        assert.match(errors, /no room; all is as before|no room/);
        assert.deepEqual(tree(), before);
      }
    });

    test('an interruption at any program is undone by the next run, or finished by undo', async () => {
      prepare();
      const before = tree();
      const { answer } = stage;
      const killed = async (options: Parameters<typeof boot>[0]) => {
        stage.answer = (command) => {
          if (command.includes('--info=ALL')) return answer(command);
          throw new Error('killed');
        };
        await assert.rejects(boot(options), /killed/);
        stage.answer = answer;
        assert.ok(existsSync(at(record)));
      };
      await killed({ yes: true });
      assert.match((await boot({ dryRun: true })).errors, /interrupted; it will be undone first/);
      const { status, errors } = await boot();
      assert.equal(status, 0, errors);
      assert.match(errors, /was interrupted, and has been undone first/);
      const written = tree();
      // Its entries are restored without a program.
      if (name !== 'systemd-boot') await killed(undo);
      assert.equal((await boot(undo)).status, 0);
      assert.deepEqual(tree(), before);
      await killed({ yes: true });
      assert.equal((await boot(undo)).status, 0);
      assert.deepEqual(tree(), before);
      await boot();
      assert.deepEqual([...tree().keys()], [...written.keys()]);
    });

    test('a second change that fails or is killed leaves the first in force', async () => {
      prepare();
      const before = tree();
      const { answer } = stage;
      write('proc/pressure/cpu', 'some avg10=0.00\n');
      await boot();
      const lsm = 'lockdown,capability,landlock,yama,apparmor';
      write('sys/kernel/security/lsm', `${lsm},bpf`);
      rmSync(at('proc/pressure'), { recursive: true });
      const first = tree();
      let failures = 1;
      stage.answer = (command) => {
        if (command.includes('--info=ALL') || failures-- <= 0) return answer(command);
        return undefined;
      };
      assert.match((await boot()).errors, /no room; all is as before/);
      assert.deepEqual(tree(), first);
      stage.answer = (command) => {
        if (command.includes('--info=ALL')) return answer(command);
        throw new Error('killed');
      };
      await assert.rejects(boot(), /killed/);
      stage.answer = answer;
      const { status, errors } = await boot();
      assert.equal(status, 0, errors);
      const text = [...tree().values()].find((each) => /options|^linux/m.test(each)) ?? '';
      assert.match(text, /bpf,integrity psi=1/);
      assert.equal((await boot(undo)).status, 0);
      write('sys/kernel/security/lsm', lsm);
      assert.deepEqual(tree(), before);
    });

    test('release --all and setup undo find the change, and undo it', async () => {
      prepare();
      const before = tree();
      assert.deepEqual(undoBootOptions(paths(), host()), []);
      await boot();
      const [step] = undoBootOptions(paths(), host());
      const problems = (await step?.run?.()) ?? [];
      assert.deepEqual(problems.map(formatProblem), []);
      assert.deepEqual(tree(), before);
    });
  });

test('setup boot undoes what grubby has half done', async () => {
  withGrubby('quiet');
  const before = tree();
  const { answer } = stage;
  stage.answer = (command) => {
    if (command.includes('--info=ALL')) return answer(command);
    const other = read(entryOf('6.11.0'));
    answer(command);
    write(entryOf('6.11.0'), other);
    throw new Error('killed');
  };
  await assert.rejects(boot(), /killed/);
  stage.answer = answer;
  assert.equal((await boot(undo)).status, 0);
  assert.deepEqual(tree(), before);
});
