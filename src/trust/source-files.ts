/**
 * The files of a source folder, as an archive for the jail: regular files and links, nothing followed.
 *
 * Compiled code is left out: a module that needs it cannot be built from its source, and shall not be.
 */
import { spawn } from 'node:child_process';
import { closeSync, constants, lstatSync, openSync, readdirSync, readSync } from 'node:fs';
import { basename, join } from 'node:path';
import { Transform, type Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { quoted } from '../host/errno.ts';
import { fail, ok, type Result } from '../units/result.ts';

export interface SourceFiles {
  readonly folder: string;
  /** Relative to the folder, files and links, in order. */
  readonly files: readonly string[];
  /** Files of compiled code, which are left out. */
  readonly compiled: readonly string[];
}

const filesMax = 50_000;
const depthMax = 32;
const bytesMax = 2 ** 30;

/** Lists the files of a folder; fails when they are beyond any module's source. */
export function listSourceFiles(folder: string): Result<SourceFiles> {
  const found: Found = { files: [], compiled: [], folders: [''], bytes: 0 };
  for (let path = found.folders.pop(); path !== undefined; path = found.folders.pop()) {
    const names = entriesOf(folder, path);
    if (!names.ok) return names;
    if (path.split('/').length > depthMax) {
      return fail(`${quoted(path)} is too deep in ${quoted(folder)}`);
    }
    for (const name of names.value) sort(folder, path === '' ? name : `${path}/${name}`, found);
    if (found.files.length > filesMax || found.bytes > bytesMax) {
      const most = `more than ${filesMax} files or ${bytesMax} bytes`;
      return fail(`${quoted(folder)} has ${most}; name the folder of the module's own source`);
    }
  }
  return ok({ folder, files: found.files.sort(), compiled: found.compiled.sort() });
}

interface Found {
  readonly files: string[];
  readonly compiled: string[];
  /** Not looked at yet. */
  readonly folders: string[];
  bytes: number;
}

function sort(folder: string, path: string, found: Found): void {
  const stat = lstatSync(join(folder, path), { throwIfNoEntry: false });
  if (stat === undefined) return;
  if (stat.isDirectory() && basename(path) !== '.git') found.folders.push(path);
  if (!stat.isFile() && !stat.isSymbolicLink()) return;
  found.bytes += stat.size;
  if (stat.isFile() && isCompiled(join(folder, path))) found.compiled.push(path);
  else found.files.push(path);
}

function entriesOf(folder: string, path: string): Result<readonly string[]> {
  try {
    return ok(readdirSync(join(folder, path)));
  } catch (error) {
    const { message } = error as Error;
    return fail(`Cannot list the source folder ${quoted(join(folder, path))}: ${message}`);
  }
}

/** ELF files, and archives of them. */
function isCompiled(path: string): boolean {
  const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = constants;
  try {
    const fd = openSync(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    try {
      const start = Buffer.alloc(8);
      readSync(fd, start, 0, 8, 0);
      const text = start.toString('latin1');
      return text.startsWith('\u007fELF') || text === '!<arch>\n' || text === '!<thin>\n';
    } finally {
      closeSync(fd);
    }
  } catch {
    return false;
  }
}

/** A tar archive of the files. It ends early, as does the unpacking, when they have grown meanwhile. */
export function archiveOf({ folder, files }: SourceFiles): Readable {
  const options = ['--null', '--verbatim-files-from', '--no-recursion', '-T', '-'];
  const child = spawn('tar', ['-C', folder, '-cf', '-', '--owner=0', '--group=0', ...options], {
    stdio: ['pipe', 'pipe', 'ignore'],
    env: { PATH: '/usr/bin:/bin', LANG: 'C.UTF-8' },
  });
  child.on('error', () => {});
  child.stdin.on('error', () => {});
  child.stdin.end(files.map((path) => `${path}\0`).join(''));
  const bounded = boundedStream();
  pipeline(child.stdout, bounded).catch(() => child.kill('SIGKILL'));
  return bounded;
}

function boundedStream(): Transform {
  let bytes = 0;
  return new Transform({
    transform(chunk: Uint8Array, _encoding, done) {
      bytes += chunk.length;
      if (bytes > 2 * bytesMax) done(new Error('the source has grown while it was read'));
      else done(null, chunk);
    },
  });
}
