/** Packages that only some tests need in their guest: fetched by the host's apt for what is installed there. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { succeed } from '../../../testing/vm/command.ts';
import type { Guest } from '../../../testing/vm/guest.ts';
import { longPatienceMilliseconds } from '../../../testing/patience.ts';
import { temporaryDirectory } from '../../../testing/temporary-directory.ts';

/** Copies them and all that they need and the guest lacks into /root/NAME.debs of the guest, and installs nothing. */
export async function copyPackages(guest: Guest, names: readonly string[]): Promise<void> {
  using scratch = temporaryDirectory('debs');
  const directory = scratch.path;
  const installed = await guest.succeed('cat /var/lib/dpkg/status', {
    timeoutMs: longPatienceMilliseconds,
  });
  writeFileSync(join(directory, 'status'), installed);
  for (const name of names) {
    const archives = join(directory, name);
    mkdirSync(join(archives, 'partial'), { recursive: true });
    const options = [
      `Dir::State::status=${directory}/status`,
      `Dir::Cache::archives=${archives}`,
      'Dir::Cache::pkgcache=',
      'Dir::Cache::srcpkgcache=',
      // Only root can use the directory, so other apt processes do not matter.
      'APT::Sandbox::User=root',
      'Debug::NoLocking=1',
    ].flatMap((each) => ['-o', each]);
    const fetch = ['-q', '-y', '--download-only', '--no-install-recommends', '--no-remove'];
    await succeed(`fetch ${name} for the guest`, [
      'apt-get',
      ...fetch,
      ...options,
      'install',
      name,
    ]);
    await guest.copyIn(archives, `/root/${name}.debs`);
  }
}

/** Returns a command for the guest. */
export const installCopied = (name: string): string =>
  `DEBIAN_FRONTEND=noninteractive dpkg --path-include='/usr/share/man/*' -i /root/${name}.debs/*.deb > /root/${name}.log 2>&1 < /dev/null || { cat /root/${name}.log >&2; exit 1; }`;
