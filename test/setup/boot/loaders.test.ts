/** `setup boot` with each boot loader, in trees of files: the exact change, and exactly what was before. */
import '../../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { existsSync, mkdirSync, rmSync } from 'node:fs';
import { suite, test } from 'node:test';
import {
  at,
  boot,
  bootJson,
  entryOf,
  read,
  stage,
  tree,
  undo,
  useHost,
  wantedLsm,
  wantedWords,
  withGrub,
  withGrubby,
  withSystemdBoot,
  write,
} from './stage.ts';

useHost();

const dropIn = 'etc/default/grub.d/90-bulkhead.cfg';
const record = 'var/lib/bulkhead/setup-boot.json';
const changes = () => stage.calls.filter((each) => !each.includes('--info'));

suite("setup boot with Debian's GRUB", () => {
  test('shows the change, writes its own file, and undo leaves what was before', async () => {
    withGrub();
    const before = tree();
    const plan = await bootJson({ dryRun: true });
    assert.deepEqual([plan.loader, plan.words, plan.changed], ['grub', wantedWords, false]);
    assert.deepEqual(
      plan.files.map(({ path }) => path),
      [`/${dropIn}`],
    );
    assert.deepEqual(plan.commands, [['update-grub']]);
    assert.deepEqual(tree(), before);
    assert.deepEqual(stage.calls, []);

    const done = await boot();
    assert.equal(done.status, 0, done.errors);
    assert.match(done.out, /next reboot; then run: bulkhead setup/);
    assert.match(read('boot/grub/grub.cfg'), new RegExp(`quiet ${wantedLsm} psi=1\n`));
    assert.doesNotMatch(read('boot/grub/grub.cfg').split('\n')[1] ?? '', /bpf/);
    assert.equal(read('etc/default/grub'), before.get(at('etc/default/grub')));

    assert.equal((await boot(undo)).status, 0);
    assert.deepEqual(tree(), before);
    assert.deepEqual(stage.calls, ['update-grub', 'update-grub']);
  });

  test('shows that modules that are turned off now stay out of the list', async () => {
    write('proc/cmdline', 'BOOT_IMAGE=/vmlinuz root=/dev/vda1 ro selinux=0\n');
    withGrub('quiet selinux=0');
    const { options } = await bootJson({ dryRun: true });
    assert.match(options[0]?.reason ?? '', /selinux=0 keeps out stay out/);
  });

  test('before the reboot it says so and does nothing; after it, all is there', async () => {
    withGrub();
    await boot();
    const written = tree();
    const again = await boot();
    assert.match(again.out, /lsm +at next reboot[\s\S]*All is written/);
    assert.deepEqual(tree(), written);
    assert.deepEqual(stage.calls, ['update-grub']);
    write('proc/sys/kernel/random/boot_id', 'second\n');
    assert.match((await boot({ dryRun: true })).out, /lsm +without effect/);
    write('sys/kernel/security/lsm', 'lockdown,capability,landlock,yama,apparmor,bpf');
    write('proc/pressure/cpu', 'some avg10=0.00\n');
    assert.match((await boot()).out, /lsm +there[\s\S]*No boot option is to be written/);
  });

  test('a later change includes the earlier one', async () => {
    write('proc/pressure/cpu', 'some avg10=0.00\n');
    withGrub();
    const before = tree();
    await boot();
    rmSync(at('proc/pressure'), { recursive: true });
    const done = await boot();
    assert.equal(done.status, 0, done.errors);
    assert.match(read(dropIn), new RegExp(`${wantedLsm}"\n.* psi=1"\n$`));
    assert.match(read('boot/grub/grub.cfg'), new RegExp(`quiet ${wantedLsm} psi=1\n`));
    assert.match((await boot()).out, /lsm +at next reboot[\s\S]*pressure +at next reboot/);
    const { words } = await bootJson({ undo: true, dryRun: true });
    assert.deepEqual(words, ['psi=1', wantedLsm]);
    await boot(undo);
    write('proc/pressure/cpu', 'some avg10=0.00\n');
    assert.deepEqual(tree(), before);
  });

  test('a later change leaves an lsm= that the earlier one has replaced', async () => {
    const old = 'lsm=lockdown,landlock,yama,apparmor';
    write('proc/cmdline', `BOOT_IMAGE=/vmlinuz root=/dev/vda1 ro ${old}\n`);
    write('proc/pressure/cpu', 'some avg10=0.00\n');
    withGrub(old);
    await boot();
    rmSync(at('proc/pressure'), { recursive: true });
    write('proc/sys/kernel/random/boot_id', 'second\n');
    const { status, errors } = await boot();
    assert.equal(status, 0, errors);
    assert.match(read('boot/grub/grub.cfg'), new RegExp(`${old} ${wantedLsm} psi=1\n`));
  });

  test('runs update-grub for words that nobody has run it for', async () => {
    withGrub();
    write('etc/default/grub', `GRUB_CMDLINE_LINUX_DEFAULT="quiet ${wantedWords.join(' ')}"\n`);
    const { status, errors } = await boot();
    assert.equal(status, 0, errors);
    assert.match(read('boot/grub/grub.cfg'), new RegExp(`quiet ${wantedLsm} psi=1\n`));
    assert.ok(!existsSync(at(dropIn)));
    await boot(undo);
    stage.answer = () => '';
    withGrubCfg('linux /vmlinuz root=/dev/vda1 ro quiet\n');
    assert.match((await boot()).errors, /update-grub has written no entry/);
  });

  const withGrubCfg = (text: string) => write('boot/grub/grub.cfg', text);

  test('replaces an lsm= that the host was booted with', async () => {
    const old = 'lsm=lockdown,landlock,yama,apparmor';
    write('proc/cmdline', `BOOT_IMAGE=/vmlinuz root=/dev/vda1 ro ${old}\n`);
    withGrub(old);
    assert.equal((await boot()).status, 0);
    assert.match(read('boot/grub/grub.cfg'), new RegExp(`${old} ${wantedLsm} psi=1\n`));
  });

  test('what the administrator adds to the file stays after undo', async () => {
    withGrub();
    await boot();
    write(dropIn, `${read(dropIn)}GRUB_TIMEOUT=1\n`);
    const { errors } = await boot(undo);
    assert.match(errors, /90-bulkhead\.cfg was edited since/);
    assert.match(
      read(dropIn),
      /GRUB_CMDLINE_LINUX_DEFAULT="\$GRUB_CMDLINE_LINUX_DEFAULT"\n.*TIMEOUT=1/,
    );
    assert.doesNotMatch(read('boot/grub/grub.cfg'), /bpf|psi/);
    assert.ok(!existsSync(at(record)));
  });

  test('a file that GRUB reads later and that sets the variable anew: nothing is done', async () => {
    withGrub();
    write('etc/default/grub.d/99-mine.cfg', 'GRUB_CMDLINE_LINUX_DEFAULT="nosmt"\n');
    updateAndForget();
    const before = tree();
    const { status, errors } = await boot();
    assert.equal(status, 1);
    assert.match(errors, /no entry .*; all is as before.*after 90-bulkhead\.cfg/);
    assert.deepEqual(tree(), before);
  });

  const updateAndForget = () => {
    stage.answer([]);
    stage.calls = [];
  };
});

suite('setup boot with grubby', () => {
  test('changes all entries, the defaults of new kernels, and gives back every byte', async () => {
    withGrubby('crashkernel=1G');
    write('etc/kernel/cmdline', 'root=UUID=a ro crashkernel=1G\n');
    const before = tree();
    const done = await boot();
    assert.equal(done.status, 0, done.errors);
    assert.deepEqual(changes(), [`grubby --update-kernel=ALL --args=${wantedWords.join(' ')}`]);
    for (const file of [
      'etc/default/grub',
      'etc/kernel/cmdline',
      entryOf('6.12.1'),
      entryOf('6.11.0'),
    ])
      assert.match(read(file), new RegExp(`crashkernel=1G ${wantedLsm} psi=1`), file);
    assert.equal((await boot(undo)).status, 0);
    assert.equal(
      changes().at(-1),
      `grubby --update-kernel=ALL --remove-args=${wantedWords.join(' ')}`,
    );
    assert.deepEqual(tree(), before);
  });

  test('takes only its words out of a kernel that was installed since, and of an edited file', async () => {
    withGrubby('quiet');
    await boot();
    write(entryOf('6.13.0'), `title EL\noptions root=UUID=a ro quiet ${wantedWords.join(' ')}\n`);
    write('etc/default/grub', read('etc/default/grub').replace('quiet', 'quiet nosmt'));
    const { errors } = await boot(undo);
    assert.match(errors, /\/etc\/default\/grub was edited since/);
    assert.equal(read(entryOf('6.13.0')), 'title EL\noptions root=UUID=a ro quiet\n');
    assert.match(read('etc/default/grub'), /^GRUB_CMDLINE_LINUX="quiet nosmt"$/m);
  });

  test('puts back an lsm= that was there before', async () => {
    const old = 'lsm=lockdown,landlock,yama,apparmor';
    write('proc/cmdline', `root=UUID=a ro ${old}\n`);
    withGrubby(`quiet ${old}`);
    const before = tree();
    await boot();
    assert.equal(
      changes()[0],
      `grubby --update-kernel=ALL --remove-args=lsm --args=${wantedWords.join(' ')}`,
    );
    await boot(undo);
    assert.equal(
      changes()[1],
      `grubby --update-kernel=ALL --remove-args=${wantedWords.join(' ')} --args=${old}`,
    );
    assert.deepEqual(tree(), before);
  });

  test('leaves a blank /etc/kernel/cmdline, which means the command line of this boot', async () => {
    withGrubby('quiet');
    write('etc/kernel/cmdline', '\n');
    assert.equal((await boot()).status, 0);
    assert.equal(read('etc/kernel/cmdline'), '\n');
  });

  test('leaves another value that somebody gave a kernel since', async () => {
    withGrubby('quiet');
    await boot();
    const own = 'title EL\noptions root=UUID=a ro psi=0\n';
    write(entryOf('6.13.0'), own);
    await boot(undo);
    assert.equal(read(entryOf('6.13.0')), own);
  });

  test('adds words that only an old kernel has to the others', async () => {
    withGrubby('quiet');
    const old = `title EL\noptions root=UUID=a ro quiet ${wantedWords.join(' ')}\n`;
    write(entryOf('6.11.0'), old);
    const before = tree();
    const { status, errors } = await boot();
    assert.equal(status, 0, errors);
    assert.match(read(entryOf('6.12.1')), new RegExp(`quiet ${wantedLsm} psi=1\n`));
    await boot(undo);
    assert.deepEqual(tree(), before);
  });

  test('refuses a GRUB_CMDLINE_LINUX that only a shell can read', async () => {
    withGrubby('x=\\"a b\\"');
    const before = tree();
    const { status, errors } = await boot();
    assert.equal(status, 1);
    assert.match(errors, /GRUB_CMDLINE_LINUX in ".*": it is not one line in double quotes/);
    assert.deepEqual(tree(), before);
  });
});

suite('setup boot with systemd-boot', () => {
  test('edits the options, writes the entries again, and undo gives back every byte', async () => {
    withSystemdBoot('root=/dev/vda1  ro\n');
    stage.answer(['kernel-install', 'add', '6.12.1']);
    const before = tree();
    assert.equal((await boot()).status, 0);
    assert.equal(read('etc/kernel/cmdline'), `root=/dev/vda1  ro ${wantedWords.join(' ')}\n`);
    assert.deepEqual(stage.calls, ['kernel-install add 6.12.1 /usr/lib/modules/6.12.1/vmlinuz']);
    assert.equal((await boot(undo)).status, 0);
    assert.deepEqual(tree(), before);
  });

  test('shows which entries it would write again, and changes nothing', async () => {
    withSystemdBoot('root=/dev/vda1 ro\n');
    stage.answer(['kernel-install', 'add', '6.12.1']);
    const before = tree();
    assert.match(
      (await boot({ dryRun: true })).out,
      /\nrun: kernel-install add 6\.12\.1 .*\nwhich writes again: \/boot\/efi\/loader\/entries\/id-6\.12\.1\.conf\n/,
    );
    const { rewritten } = await bootJson({ dryRun: true });
    assert.deepEqual(rewritten, ['/boot/efi/loader/entries/id-6.12.1.conf']);
    assert.deepEqual(tree(), before);
  });

  test('names entries that kernel-install does not write', async () => {
    withSystemdBoot('root=/dev/vda1 ro\n');
    write('boot/efi/loader/entries/mine.conf', 'linux /vmlinuz\noptions root=/dev/vda1\n');
    assert.match((await boot()).out, /Note: .*entries\/mine\.conf does not have them/);
  });

  test('refuses if the options are missing, or nothing writes the entries', async () => {
    withSystemdBoot('x');
    rmSync(at('etc/kernel/cmdline'));
    assert.match((await boot()).errors, /cmdline": it does not exist.*; write the options/);
    withSystemdBoot(' \n');
    assert.match((await boot()).errors, /or is empty; write the options/);
    withSystemdBoot('root=/dev/vda1 ro\n');
    stage.answer = () => '';
    const before = tree();
    assert.match((await boot()).errors, /no entry in loader\/entries.*all is as before/);
    assert.deepEqual(tree(), before);
  });
});

suite('setup boot with entries of systemd-boot', () => {
  const entry = 'boot/efi/loader/entries/id-6.12.1.conf';

  test('refuses a command line with another root= than the one that was booted', async () => {
    for (const root of ['root=/dev/old ro\n', 'ro\n']) {
      withSystemdBoot(root);
      const before = tree();
      const { status, errors } = await boot();
      assert.equal(status, 1);
      assert.match(errors, /its root= is not the one that this host was booted with/);
      assert.deepEqual(tree(), before);
    }
    assert.deepEqual(stage.calls, []);
  });

  test('refuses if an entry has options that kernel-install would not write', async () => {
    withSystemdBoot('root=/dev/vda1 ro\n');
    for (const name of [entry, entry.replace('.conf', '+3-0.conf')]) {
      write(name, 'title Debian\noptions root=/dev/vda1 ro rd.luks.uuid=x\n');
      const before = tree();
      const { status, errors } = await boot();
      assert.equal(status, 1);
      assert.match(errors, /options are not those of \/etc\/kernel\/cmdline, and would be lost/);
      assert.deepEqual(tree(), before);
      rmSync(at(name));
    }
    assert.deepEqual(stage.calls, []);
  });

  test('undo gives entries their old bytes, and leaves what somebody edited since', async () => {
    withSystemdBoot('root=/dev/vda1 ro\n');
    const text = 'title Mine\noptions root=/dev/vda1 ro systemd.machine_id=a\nsort-key x\n';
    write(entry, text);
    const before = tree();
    assert.equal((await boot()).status, 0);
    assert.match(read(entry), /title Debian/);
    await boot(undo);
    assert.deepEqual(tree(), before);
    await boot();
    write(entry, read(entry).replace(' ro ', ' ro nosmt '));
    assert.match((await boot(undo)).errors, /id-6\.12\.1\.conf was edited since/);
    assert.equal(read(entry), 'title Debian\noptions root=/dev/vda1 ro nosmt\n');
  });

  test('undo writes the entry of a kernel that was installed since', async () => {
    withSystemdBoot('root=/dev/vda1 ro\n');
    await boot();
    write('usr/lib/modules/6.13.0/vmlinuz', '');
    stage.answer(['kernel-install', 'add', '6.13.0']);
    await boot(undo);
    assert.equal(
      read(entry.replace('6.12.1', '6.13.0')),
      'title Debian\noptions root=/dev/vda1 ro\n',
    );
  });
});

suite('setup boot finds the boot loader', () => {
  const refusal = async (...args: Parameters<typeof boot>) => {
    const before = tree();
    const { status, errors } = await boot(...args);
    assert.equal(status, 1);
    assert.deepEqual(tree(), before);
    assert.deepEqual(changes(), []);
    return errors;
  };

  test('two: it names both, and takes the one that is named', async () => {
    withSystemdBoot('ro\n');
    withGrub();
    assert.match(await refusal(), /GRUB, systemd-boot.*--loader grub or --loader systemd-boot/);
    assert.match(await refusal({ yes: true, loader: 'grubby' }), /this host has no grubby/);
    assert.equal((await boot({ yes: true, loader: 'grub' })).status, 0);
    assert.ok(existsSync(at(dropIn)));
  });

  test('none: it prints the words, and changes nothing', async () => {
    assert.match(await refusal(), /no boot loader was found that Bulkhead can change/);
    const { out } = await boot();
    assert.match(out, new RegExp(`For the kernel command line: ${wantedLsm} psi=1`));
  });

  test('a container, an image, unified images and Proxmox are refused with what to do there', async () => {
    const cases: readonly [string, string, RegExp][] = [
      ['run/systemd/container', 'lxc\n', /this is a container/],
      ['.dockerenv', '', /this is a container/],
      ['proc/vz/version', '', /this is a container/],
      ['run/ostree-booted', '', /rpm-ostree kargs/],
      ['etc/kernel/proxmox-boot-uuids', 'A\n', /proxmox-boot-tool refresh/],
      ['etc/kernel/install.conf', 'layout=uki\n', /unified images/],
      ['boot/efi/EFI/Linux/a.efi', '', /unified images/],
    ];
    withGrub();
    for (const [file, text, expected] of cases) {
      write(file, text);
      assert.match(await refusal(), expected, file);
      rmSync(at(file));
      rmSync(at('proc/vz'), { recursive: true, force: true });
    }
    mkdirSync(at('proc/1'));
    write('proc/1/environ', 'PATH=/bin\0container=podman\0');
    assert.match(await refusal(), /this is a container/);
  });
});
