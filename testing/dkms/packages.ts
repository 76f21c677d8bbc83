/**
 * Debian's packages of DKMS source, fetched and never installed: `~/.cache/bulkhead/dkms/NAME@VERSION/` has the tree of
 * a package. They are this release's, and the previous release's for source of another version.
 *
 * apt works in a separate directory, so that contrib and non-free are available and the host's lists stay as they are.
 * A directory is complete, because it is made under another name and renamed last.
 */
import { existsSync, readdirSync } from 'node:fs';
import { mkdtemp, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { dkmsConfIn } from '../../packages/modules/io/source/dkms.ts';
import {
  findKernelBuild,
  type KernelBuild,
} from '../../packages/modules/io/kernel/kernel-build.ts';
import { fail, ok, type Result } from '../../packages/base/result.ts';
import { debianSources, ownApt } from '../vm/apt.ts';
import { cacheDirectory as machineCache } from '../vm/cache.ts';
import { execute, succeed } from '../vm/command.ts';
import { formatProblem, type Cause } from '../../packages/base/problem.ts';

/** The source of a package, which DKMS builds. */
export interface DkmsSource {
  readonly package: string;
  readonly packageVersion: string;
  /** The names that dkms knows it by, and `usr/src/NAME-VERSION` of the unpacked package. */
  readonly name: string;
  readonly version: string;
  readonly directory: string;
}

const cache = join(dirname(machineCache), 'dkms');
/** Packages that are for tests of dkms itself, or help to make such packages. */
const noDrivers = /^(?:dh-dkms|dkms.*-test-dkms|dkms-test-dkms)$/;

const plain = (version: string): string => version.replaceAll(/[^\w.+~-]/g, '.');

export class DkmsPackages {
  readonly #options: readonly string[];

  private constructor(options: readonly string[]) {
    this.#options = options;
  }

  /** Opens the packages; the error is the reason why that cannot be done here. */
  static async open(): Promise<Result<DkmsPackages, Cause>> {
    const apt = join(cache, 'apt');
    const own = await debianSources();
    const main = own.find((each) => / [a-z]+ main$/.test(each));
    if (main === undefined)
      return fail({ reason: 'apt of this host has no Debian release to fetch from' });
    const wider = [main, main.replace(/ [a-z]+ main$/, ' oldstable main')].flatMap((each) =>
      ['main', 'contrib', 'non-free'].map((part) => each.replace(/main$/, part)),
    );
    const packages = new DkmsPackages(await ownApt(apt, [...new Set([...own, ...wider])]));
    await execute(['apt-get', '-q', ...packages.#options, 'update']);
    return ok(packages);
  }

  /** Returns all packages with drivers, by name. */
  async names(): Promise<readonly string[]> {
    const argv = ['apt-cache', ...this.#options, 'search', '--names-only', '--', '-dkms$'];
    const lines = (await succeed('list packages for DKMS', argv)).split('\n');
    const names = lines.map((line) => line.split(' ', 1)[0]!).filter((each) => each !== '');
    return names.filter((each) => !noDrivers.test(each)).sort();
  }

  /** Returns the versions, the newest first; the second, if there is one, is the previous release's. */
  async versions(name: string): Promise<readonly string[]> {
    const { stdout } = await execute(['apt-cache', ...this.#options, 'madison', name]);
    const versions = stdout.split('\n').map((line) => line.split('|')[1]?.trim() ?? '');
    return [...new Set(versions.filter((each) => each !== ''))];
  }

  /** Returns the tree of a package, fetched once. */
  async unpack(name: string, version: string): Promise<Result<string, Cause>> {
    const directory = join(cache, `${name}@${plain(version)}`);
    if (existsSync(directory)) return ok(directory);
    const unfinished = await mkdtemp(join(cache, 'unfinished-'));
    try {
      const argv = ['apt-get', '-q', ...this.#options, 'download', `${name}=${version}`];
      await succeed(`download ${name} ${version}`, argv, { cwd: unfinished });
      const unpack = 'dpkg-deb -x ./*.deb . && rm ./*.deb';
      await succeed(`unpack ${name} ${version}`, ['sh', '-c', unpack], { cwd: unfinished });
      await succeed('open it', ['chmod', '755', '.'], { cwd: unfinished });
      await rename(unfinished, directory);
      return ok(directory);
    } catch (error) {
      return fail({ reason: (error as Error).message.split('\n', 1)[0]! });
    } finally {
      await rm(unfinished, { recursive: true, force: true });
    }
  }

  /** Fetches the program of that name, which is a script. */
  async dkms(): Promise<Result<string, Cause>> {
    const [version = ''] = await this.versions('dkms');
    const unpacked = await this.unpack('dkms', version);
    return unpacked.ok ? ok(join(unpacked.value, 'usr/sbin/dkms')) : unpacked;
  }

  /** Returns the directory in which a package's built modules are kept. */
  builtDirectory({ package: name, packageVersion }: DkmsSource, release: string): string {
    return join(cache, 'built', `${name}@${plain(packageVersion)}_${release}`, 'var/lib/dkms');
  }

  /** Returns the headers of the newest kernel of this release, complete. */
  async headers(): Promise<Result<KernelBuild, Cause>> {
    const argv = ['apt-cache', ...this.#options, 'show', '--no-all-versions'];
    const meta = await execute([...argv, 'linux-headers-amd64']);
    const [, name, version] = /^Depends: (\S+) \(= ([^)]+)\)/m.exec(meta.stdout) ?? [];
    if (name === undefined || version === undefined)
      return fail({ reason: 'apt knows no kernel headers' });
    const { stdout } = await execute([...argv.slice(0, -1), `${name}=${version}`]);
    const depends = /^Depends: (.*)$/m.exec(stdout)?.[1] ?? '';
    for (const [each] of depends.matchAll(/linux-(?:headers|kbuild)-[\w.+~-]+/g)) {
      const unpacked = await this.unpack(each, version);
      if (!unpacked.ok) return unpacked;
    }
    const headers = await this.unpack(name, version);
    if (!headers.ok) return headers;
    const build = findKernelBuild(name.replace('linux-headers-', ''), [headers.value]);
    return build.ok ? build : fail({ reason: formatProblem(build.error) });
  }

  async source(name: string, version: string): Promise<Result<DkmsSource, Cause>> {
    const unpacked = await this.unpack(name, version);
    return unpacked.ok ? sourceIn(unpacked.value, name, version) : unpacked;
  }
}

function sourceIn(root: string, name: string, packageVersion: string): Result<DkmsSource, Cause> {
  const sources = join(root, 'usr/src');
  for (const each of existsSync(sources) ? readdirSync(sources) : []) {
    const directory = join(sources, each);
    const conf = dkmsConfIn(directory);
    if (conf?.name === undefined || conf.version === undefined) continue;
    const { name: known, version } = conf;
    return ok({ package: name, packageVersion, name: known, version, directory });
  }
  return fail({
    reason: `${name} ${packageVersion} has no dkms.conf that states a name and a version`,
  });
}
