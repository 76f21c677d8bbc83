/**
 * Debian packages that a test runs programs of and that must not be installed here, because they would replace what is
 * installed or start something: downloaded, and unpacked next to each other.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const directory = fileURLToPath(new URL('../node_modules/.cache/unpacked', import.meta.url));

/** The directory with the packages' files, or the reason why there is none. */
export type Unpacked =
  | { readonly ok: true; readonly root: string }
  | { readonly ok: false; readonly reason: string };

/** Downloads packages once; later calls find them in `node_modules/.cache/unpacked/NAME`. */
export function unpackPackages(name: string, packages: readonly string[]): Unpacked {
  const root = `${directory}/${name}`;
  if (existsSync(root)) return { ok: true, root };
  mkdirSync(directory, { recursive: true });
  const aside = mkdtempSync(`${directory}/${name}-`);
  try {
    const reason = download(aside, packages) ?? unpack(aside);
    if (reason !== undefined) return { ok: false, reason: `${packages.join(' ')}: ${reason}` };
    renameSync(`${aside}/root`, root);
    return { ok: true, root };
  } finally {
    rmSync(aside, { recursive: true, force: true });
  }
}

function download(aside: string, packages: readonly string[]): string | undefined {
  const get = (...args: readonly string[]) =>
    spawnSync('apt-get', args, { cwd: aside, encoding: 'utf8' });
  if (get('-q', 'download', ...packages).status === 0) return undefined;
  // The lists may be missing or stale.
  get('-q', 'update');
  const { status, stderr, error } = get('-q', 'download', ...packages);
  return status === 0 ? undefined : (error?.message ?? stderr.trim().split('\n').at(-1));
}

function unpack(aside: string): string | undefined {
  for (const each of readdirSync(aside).filter((file) => file.endsWith('.deb'))) {
    const { status, stderr } = spawnSync('dpkg-deb', ['-x', `${aside}/${each}`, `${aside}/root`], {
      encoding: 'utf8',
    });
    if (status !== 0) return stderr.trim();
  }
  return undefined;
}
