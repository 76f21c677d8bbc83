/**
 * The result of each way to follow the links of tree.sh, for a task with the web server's user and
 * group: `ok`, with what was read, or the kernel's error. Printed as JSON.
 */
import { execFileSync } from 'node:child_process';
import {
  accessSync,
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  renameSync,
  statSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  utimesSync,
  watch,
} from 'node:fs';
import { connect } from 'node:net';

const O_PATH = 0o10000000;
const { O_CREAT, O_WRONLY, O_RDONLY } = constants;
const www = '/home/alice/www';
const results: Record<string, string> = {};

function attempt(name: string, action: () => unknown): void {
  try {
    const value = action();
    results[name] = typeof value === 'string' ? `ok ${value.trim().slice(0, 20)}` : 'ok';
  } catch (error) {
    results[name] = String((error as NodeJS.ErrnoException).code);
  }
}

const read = (path: string) => readFileSync(path, 'latin1');
const openAndClose = (path: string, flags: number) => closeSync(openSync(path, flags, 0o644));
const inDirectory = (path: string, name: string) => () => {
  process.chdir('/');
  process.chdir(`${www}/${path}`);
  const text = read(name);
  process.chdir('/');
  return text;
};

for (const path of [
  'own',
  'owndir/f',
  'owndir/by-server',
  'chain',
  'relative',
  'other',
  'otherdir/secret',
  'otherdir/dir/f',
  'other-relative',
  'chain-other',
  'nested/f',
  'through-own',
  'passwd',
  'abs/www/secret',
  'via-bob',
  'round-trip',
  'by-root',
  'via-root',
  'proc',
  'proc-root',
  'bound',
  'loop',
])
  attempt(`open ${path}`, () => read(`${www}/${path}`));
attempt('open 7 links within links', () => readdirSync(`${www}/deep7`));
attempt('open 10 links within links', () => readdirSync(`${www}/deep10`));

attempt('stat own', () => statSync(`${www}/own`));
attempt('stat other', () => statSync(`${www}/other`));
attempt('stat otherdir', () => statSync(`${www}/otherdir`));
attempt('stat otherdir/secret', () => statSync(`${www}/otherdir/secret`));
attempt('lstat other', () => lstatSync(`${www}/other`));
attempt('readlink other', () => readlinkSync(`${www}/other`));
attempt('access own', () => accessSync(`${www}/own`, constants.R_OK));
attempt('access other', () => accessSync(`${www}/other`, constants.R_OK));
attempt('list otherdir', () => readdirSync(`${www}/otherdir`));
attempt('chdir owndir', inDirectory('owndir', 'f'));
attempt('chdir otherdir', inDirectory('otherdir', 'secret'));
attempt('create at create', () => openAndClose(`${www}/create`, O_CREAT | O_WRONLY));
attempt('create in otherdir', () => openAndClose(`${www}/otherdir/open/x`, O_CREAT | O_WRONLY));
attempt('create at create-own', () => openAndClose(`${www}/create-own`, O_CREAT | O_WRONLY));
attempt('create-own once more', () => openAndClose(`${www}/create-own`, O_WRONLY));
attempt('mkdir in otherdir', () => mkdirSync(`${www}/otherdir/open/d`));
attempt('rename into otherdir', () => {
  openAndClose(`${www}/upload/moved`, O_CREAT | O_WRONLY);
  renameSync(`${www}/upload/moved`, `${www}/otherdir/open/moved`);
});
attempt('unlink other', () => unlinkSync(`${www}/other`));
attempt('symlink in otherdir', () => symlinkSync('/x', `${www}/otherdir/open/link`));
attempt('truncate other', () => truncateSync(`${www}/other`, 0));
attempt('utimes other', () => utimesSync(`${www}/other`, 0, 0));
attempt('watch other', () => watch(`${www}/other`).close());
attempt('exec program', () => execFileSync(`${www}/program`));
attempt('exec /home/bob/www/program', () => execFileSync('/home/bob/www/program'));

const secret = openSync('/home/bob/www/secret', O_RDONLY);
attempt('open /proc/self/fd of a file that is open', () => read(`/proc/self/fd/${secret}`));
attempt('open through a file that O_PATH opened', () => {
  const fd = openSync(`${www}/other`, O_PATH);
  try {
    return read(`/proc/self/fd/${fd}`);
  } finally {
    closeSync(fd);
  }
});
attempt('fstat after a refusal', () => {
  attempt('(refused)', () => read(`${www}/other`));
  return fstatSync(secret);
});
attempt('list after a refusal', () => {
  attempt('(refused)', () => statSync(`${www}/other`));
  return readdirSync('/home/bob/www');
});
attempt('open without a link', () => read('/home/bob/www/secret'));

function connected(path: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(path, () => {
      socket.destroy();
      resolve('ok');
    });
    socket.on('error', (error: NodeJS.ErrnoException) => resolve(String(error.code)));
  });
}
results['connect sock'] = await connected(`${www}/sock`);
results['connect /home/bob/www/sock'] = await connected('/home/bob/www/sock');
process.stdout.write(`${JSON.stringify(results)}\n`);
