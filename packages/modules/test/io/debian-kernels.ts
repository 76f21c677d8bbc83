/**
 * Debian's cloud kernels, unpacked and not installed: `~/.cache/bulkhead/kernels/ARCHITECTURE/`.
 *
 * apt works in a directory of its own, so that packages of another architecture can be had and the host's lists
 * stay as they are. Cached files are used without a network. A directory is complete, because it is made under
 * another name and renamed last.
 */
import { existsSync, globSync } from 'node:fs';
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { execute, succeed } from '../../../../testing/vm/command.ts';

export type DebianArchitecture = 'amd64' | 'arm64';

export interface DebianKernel {
  /** The trees of its packages together. */
  readonly directory: string;
  /** Modules, unpacked: `.ko`. */
  readonly modules: readonly string[];
  /** `Module.symvers` of the headers package. */
  readonly symvers: string;
}

export type Fetched =
  | { readonly ok: true; readonly kernel: DebianKernel }
  | { readonly ok: false; readonly reason: string };

const cache = join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'bulkhead/kernels');

/** Downloads the packages once; says why when that cannot be done here. */
export async function debianKernel(architecture: DebianArchitecture): Promise<Fetched> {
  const directory = join(cache, architecture);
  if (!existsSync(directory)) {
    await mkdir(cache, { recursive: true });
    const unfinished = await mkdtemp(join(cache, 'unfinished-'));
    try {
      await fetchInto(architecture, unfinished);
      await rename(unfinished, directory);
    } catch (error) {
      if (!existsSync(directory)) return { ok: false, reason: String(error).split('\n')[0]! };
    } finally {
      await rm(unfinished, { recursive: true, force: true });
    }
  }
  return { ok: true, kernel: kernelIn(directory) };
}

function kernelIn(directory: string): DebianKernel {
  const find = (pattern: string) => globSync(pattern, { cwd: directory }).sort();
  const [symvers] = find('usr/src/linux-headers-*/Module.symvers');
  if (symvers === undefined) throw new Error(`No Module.symvers in ${directory}`);
  const modules = find('usr/lib/modules/*/kernel/**/*.ko').map((name) => join(directory, name));
  return { directory, modules, symvers: join(directory, symvers) };
}

async function fetchInto(architecture: DebianArchitecture, directory: string): Promise<void> {
  const apt = join(directory, 'apt');
  await mkdir(join(apt, 'lists/partial'), { recursive: true });
  await mkdir(join(apt, 'cache/archives/partial'), { recursive: true });
  await writeFile(join(apt, 'status'), '');
  const options = [
    `Dir::State=${apt}`,
    `Dir::State::status=${apt}/status`,
    `Dir::Cache=${apt}/cache`,
    `APT::Architecture=${architecture}`,
    `APT::Architectures=${architecture}`,
    // Only root can use the directory; apt's own user cannot write to it.
    'APT::Sandbox::User=root',
  ].flatMap((each) => ['-o', each]);
  await succeed(`update the list of ${architecture} packages`, [
    'apt-get',
    '-q',
    ...options,
    'update',
  ]);
  for (const meta of [`linux-image-cloud-${architecture}`, `linux-headers-cloud-${architecture}`]) {
    const argv = ['apt-cache', ...options, 'show', '--no-all-versions', meta];
    const { stdout } = await execute(argv);
    const [, name, version] = /^Depends: (\S+) \(= ([^)]+)\)/m.exec(stdout) ?? [];
    if (name === undefined) throw new Error(`apt knows no package "${meta}"`);
    const download = ['apt-get', '-q', ...options, 'download', `${name}=${version}`];
    await succeed(`download ${name}`, download, { cwd: apt });
  }
  const unpack = 'for deb in apt/*.deb; do dpkg-deb -x "$deb" . || exit 1; done; rm -r apt';
  await succeed('unpack the packages', ['sh', '-c', unpack], { cwd: directory });
  const decompress = 'find usr/lib/modules -name "*.ko.xz" -print0 | xargs -0 -n 64 -P 2 xz -d';
  await succeed('decompress the modules', ['sh', '-c', decompress], { cwd: directory });
}
