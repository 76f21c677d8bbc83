/**
 * The files of a source directory, as an archive for the jail: regular files and links, nothing
 * followed.
 *
 * Compiled code is left out: a module that needs it must not count as built from source.
 */
import { spawn } from 'node:child_process';
import { lstatSync, readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { Transform, type Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { quoted } from '../../../base/io/errno.ts';
import { failed, type Problem } from '../../../base/problem.ts';
import { openRegularFile, readPiece } from '../../../base/io/regular-file.ts';
import { ok, type Result } from '../../../base/result.ts';

export interface SourceFiles {
  readonly directory: string;
  /** Files and links, relative to the directory, in order. */
  readonly files: readonly string[];
  /** Files of compiled code, which are left out. */
  readonly compiled: readonly string[];
}

const filesMax = 50_000;
const depthMax = 32;
const bytesMax = 2 ** 30;

/** Lists the files of a directory; fails when they are more than any module's source. */
export function listSourceFiles(directory: string): Result<SourceFiles, Problem> {
  const found: Found = { files: [], compiled: [], directories: [''], bytes: 0 };
  for (let path = found.directories.pop(); path !== undefined; path = found.directories.pop()) {
    const names = entriesOf(directory, path);
    if (!names.ok) return names;
    if (path.split('/').length > depthMax) {
      return failed({
        action: 'list the source directory',
        object: directory,
        reason: `${quoted(path)} is too deep in it`,
      });
    }
    for (const name of names.value) sort(directory, path === '' ? name : `${path}/${name}`, found);
    if (found.files.length > filesMax || found.bytes > bytesMax) {
      return failed({
        action: 'list the source directory',
        object: directory,
        reason: `it has more than ${filesMax} files or ${bytesMax} bytes`,
        hint: "name the directory of the module's own source",
      });
    }
  }
  return ok({ directory, files: found.files.sort(), compiled: found.compiled.sort() });
}

interface Found {
  readonly files: string[];
  readonly compiled: string[];
  /** Directories still to be listed. */
  readonly directories: string[];
  bytes: number;
}

function sort(directory: string, path: string, found: Found): void {
  const stat = lstatSync(join(directory, path), { throwIfNoEntry: false });
  if (stat === undefined) return;
  if (stat.isDirectory() && basename(path) !== '.git') found.directories.push(path);
  if (!stat.isFile() && !stat.isSymbolicLink()) return;
  found.bytes += stat.size;
  if (stat.isFile() && isCompiled(join(directory, path))) found.compiled.push(path);
  else found.files.push(path);
}

function entriesOf(directory: string, path: string): Result<readonly string[], Problem> {
  try {
    return ok(readdirSync(join(directory, path)));
  } catch (error) {
    const { message } = error as Error;
    return failed({
      action: 'list the source directory',
      object: join(directory, path),
      reason: message,
    });
  }
}

/** Whether a file is an ELF file, or an archive of ELF files. */
function isCompiled(path: string): boolean {
  const opened = openRegularFile(path, { links: 'refuse' });
  if (!opened.ok) return false;
  using file = opened.value;
  try {
    const text = Buffer.from(readPiece(file, 0, 8)).toString('latin1');
    return text.startsWith('\u007fELF') || text === '!<arch>\n' || text === '!<thin>\n';
  } catch {
    return false;
  }
}

/**
 * Returns a tar archive of the files. If they have grown meanwhile, it ends early, and so does the
 * unpacking.
 */
export function archiveOf({ directory, files }: SourceFiles): Readable {
  const options = ['--null', '--verbatim-files-from', '--no-recursion', '-T', '-'];
  const child = spawn('tar', ['-C', directory, '-cf', '-', '--owner=0', '--group=0', ...options], {
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
