/**
 * Debian's FTP daemons, unpacked in a cache: their packages exclude each other, so no host has them all. Nothing is
 * installed, configured or started.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

const packages = ['vsftpd', 'proftpd-core', 'pure-ftpd'];
/** ProFTPD's own libraries, which few hosts have. */
const libraries = [
  'libhiredis1.1.0',
  'libmemcached11t64',
  'libmemcachedutil2t64',
  'libhashkit2t64',
  'libpcre2-posix3',
];
const cache = join(homedir(), '.cache/bulkhead/ftp');
const libraryDirectory = `${cache}/usr/lib/${process.arch === 'x64' ? 'x86_64' : 'aarch64'}-linux-gnu`;

/** Makes the linker of the daemons find their libraries. */
export const environment = { LD_LIBRARY_PATH: libraryDirectory };

/** Unpacks what is missing, as far as the archive has it. */
export function unpackDaemons(): void {
  fs.mkdirSync(cache, { recursive: true });
  for (const name of [...packages, ...libraries]) {
    if (fs.existsSync(`${cache}/usr/share/doc/${name}`)) continue;
    const directory = fs.mkdtempSync(`${cache}/.download-`);
    try {
      execFileSync('apt-get', ['-q', 'download', name], { cwd: directory, stdio: 'ignore' });
      for (const file of fs.readdirSync(directory))
        execFileSync('dpkg-deb', ['-x', join(directory, file), cache]);
    } catch {
      // Without a network, or on another release; the tests of this daemon are skipped.
    } finally {
      fs.rmSync(directory, { recursive: true });
    }
  }
}

/** Returns the program of a daemon, if it can run here. */
export function daemonIn(program: string): string | undefined {
  const paths = ['/usr/sbin', `${cache}/usr/sbin`].map((each) => join(each, program));
  return paths.find((path) => {
    if (!fs.existsSync(path)) return false;
    const { stdout, status } = spawnSync('ldd', [path], {
      env: { ...process.env, ...environment },
      encoding: 'utf8',
    });
    return status === 0 && !stdout.includes('not found');
  });
}
