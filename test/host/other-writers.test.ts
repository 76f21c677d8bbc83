/** Programs that set the same limits or quotas, as trees of their files. */
import '../../testing/guard/here.ts';
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { beforeEach, test } from 'node:test';
import { otherWriterText } from '../../packages/base/other-writer.ts';
import { findOtherWriters } from '../../src/host/other-writers/other-writers.ts';
import { testDirectory } from '../../testing/temporary-directory.ts';

let root = '';
beforeEach((t) => {
  root = testDirectory(t, 'other-writers');
});

function write(path: string, text: string): void {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), text);
}

const found = () => findOtherWriters(root).map(({ name, sets, files }) => [name, sets, files]);
const hestia = '/usr/local/hestia/conf/hestia.conf';
const control = '/etc/systemd/system.control';
const system = '/etc/systemd/system';

test('findOtherWriters() finds nothing on a host without them', () => {
  assert.deepEqual(found(), []);
});

test("findOtherWriters() names drop-ins of users' slices that set limits, and not Bulkhead's", () => {
  write(`${control}/user-1001.slice.d/50-CPUQuota.conf`, '[Slice]\nCPUQuota=20%\n');
  write(`${system}/user-.slice.d/all.conf`, '[Slice]\nTasksMax=100\n');
  write(`${system}/user-1001.slice.d/99-panel.conf`, '[Slice]\n  MemoryHigh = 1G\n');
  write(`${system}/user-1001.slice.d/90-bulkhead.conf`, '[Slice]\nTasksMax=7\n');
  write(`${system}/user-1002.slice.d/words.conf`, '[Unit]\nDescription=TasksMax=1\n#TasksMax=7\n');
  write(`${system}/nginx.service.d/limits.conf`, '[Service]\nTasksMax=7\n');
  const [properties, files] = findOtherWriters(root);
  assert.deepEqual(properties?.files, [`${control}/user-1001.slice.d/50-CPUQuota.conf`]);
  assert.match(properties.remedy, /systemctl revert/);
  assert.deepEqual(files?.files, [
    `${system}/user-.slice.d/all.conf`,
    `${system}/user-1001.slice.d/99-panel.conf`,
  ]);
  assert.match(otherWriterText(files), /^Something else limits users: a systemd drop-in \(/);
});

test("findOtherWriters() reads the switches of HestiaCP, and does not advise to end the disk's quotas", () => {
  write(hestia, "DISK_QUOTA='no'\nRESOURCES_LIMIT='no'\n");
  assert.deepEqual(found(), []);
  write(hestia, "WEB_SYSTEM='nginx'\nRESOURCES_LIMIT='yes'\n");
  assert.deepEqual(found(), [['HestiaCP', 'limits', [hestia]]]);
  write(hestia, "DISK_QUOTA='yes'\nRESOURCES_LIMIT='yes'\n");
  const [limits, quotas] = findOtherWriters(root);
  assert.match(limits?.remedy ?? '', /v-delete-sys-cgroups; then: bulkhead apply/);
  assert.equal(quotas?.sets, 'quotas');
  // That command would unmount the quotas of everybody.
  assert.doesNotMatch(quotas.remedy, /v-delete-sys-quota/);
  assert.match(otherWriterText(quotas), /^Something else sets disk quotas: HestiaCP \(/);
});

test('findOtherWriters() names other panels that set quotas, and LiteSpeed with cgroups on', () => {
  const lsws = '/usr/local/lsws/conf/httpd_config.conf';
  write('/usr/local/cpanel/cpanel', '');
  write('/usr/local/directadmin/conf/directadmin.conf', 'quota_partition=/\n');
  write('/usr/local/lsws/bin/openlitespeed', '');
  symlinkSync('openlitespeed', join(root, '/usr/local/lsws/bin/lshttpd'));
  write(lsws, 'CGIRLimit  {\n  maxCGIInstances 20\n  cgroups  2\n}\n');
  assert.deepEqual(
    found().map(([name, sets]) => [name, sets]),
    [
      ['DirectAdmin', 'quotas'],
      ['cPanel', 'quotas'],
    ],
  );
  write(lsws, 'CGIRLimit  {\n  maxCGIInstances 20\n  cgroups                 1\n}\n');
  assert.deepEqual(found().at(-1), ['LiteSpeed', 'limits', [lsws]]);
});

test('findOtherWriters() reads the main file of the edition of LiteSpeed that runs', () => {
  const directory = '/usr/local/lsws';
  const [plain, xml] = ['conf', 'xml'].map((end) => `${directory}/conf/httpd_config.${end}`);
  assert.ok(plain !== undefined && xml !== undefined);
  const started = join(root, directory, 'bin/lshttpd');
  const start = (name: string) => {
    write(`${directory}/bin/${name}`, '');
    rmSync(started, { force: true });
    symlinkSync(name, started);
  };
  write(plain, 'CGIRLimit {\n  cgroups 1\n}\n');
  assert.deepEqual(found(), []);
  start('lshttpd.6.3');
  write(xml, '<httpServerConfig><CGIRLimit><cgroups>2</cgroups></CGIRLimit></httpServerConfig>');
  assert.deepEqual(found(), []);
  write(xml, '<httpServerConfig><CGIRLimit><cgroups>1</cgroups></CGIRLimit></httpServerConfig>');
  assert.deepEqual(found(), [['LiteSpeed', 'limits', [xml]]]);
  start('openlitespeed');
  assert.deepEqual(found(), [['LiteSpeed', 'limits', [plain]]]);
  // A program under another name does not show which of them it reads.
  start('other');
  assert.deepEqual(found(), [
    ['LiteSpeed', 'limits', [plain]],
    ['LiteSpeed', 'limits', [xml]],
  ]);
});

test('findOtherWriters() reads the files that LiteSpeed includes, also those that include each other', () => {
  const directory = '/usr/local/lsws';
  write(`${directory}/bin/openlitespeed`, '');
  symlinkSync('openlitespeed', join(root, directory, 'bin/lshttpd'));
  const main = `${directory}/conf/httpd_config.conf`;
  const included = `${directory}/conf/extra/limits.conf`;
  for (const include of [
    'extra/limits.conf',
    '$SERVER_ROOT/conf/extra',
    `${dirname(included)}/l*`,
  ]) {
    write(main, `serverName x\n  include ${include}\n`);
    write(included, `include ../httpd_config.conf\nCGIRLimit {\n  cgroups 2\n}\n`);
    assert.deepEqual(found(), []);
    write(included, `include ../httpd_config.conf\nCGIRLimit {\n  cgroups 1\n}\n`);
    assert.deepEqual(found(), [['LiteSpeed', 'limits', [included]]], include);
  }
  assert.match(findOtherWriters(root)[0]?.remedy ?? '', /write "cgroups 2" there/);
  rmSync(join(root, included));
  execFileSync('mkfifo', [join(root, included)]);
  assert.deepEqual(found(), []);
});

test('findOtherWriters() neither waits for a pipe nor reads endless files, and prints no control characters', () => {
  for (const path of [hestia, `${system}/user-1001.slice.d/pipe.conf`]) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    execFileSync('mkfifo', [join(root, path)]);
  }
  mkdirSync(join(root, control, 'user-1001.slice.d'), { recursive: true });
  symlinkSync('/dev/zero', join(root, control, 'user-1001.slice.d/zero.conf'));
  symlinkSync('loop.conf', join(root, control, 'user-1001.slice.d/loop.conf'));
  assert.deepEqual(found(), []);
  write(`${control}/user-1001.slice.d/b\u001b[31m.conf`, '[Slice]\nCPUQuota=1%\n');
  const [writer] = findOtherWriters(root);
  assert.ok(writer);
  // oxlint-disable-next-line no-control-regex -- what a terminal must not get
  assert.doesNotMatch(otherWriterText(writer), /\u001b/);
});
