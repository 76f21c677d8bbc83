/**
 * The package `bulkhead-archive-keyring`: the key, the source for apt, and a pin by which apt takes nothing but Bulkhead
 * from it. A new key comes to hosts as an upgrade of this package, signed with the old one.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { maintainer } from '../package/identity.ts';
import { run } from '../package/tools.ts';
import { contentOf, digestOf, Tree } from '../package/tree.ts';
import type { SigningKey } from './key.ts';
import { keyringName, type Job } from './site.ts';

const keyFile = `/usr/share/keyrings/${keyringName}.gpg`;
const sourceFile = '/etc/apt/sources.list.d/bulkhead.sources';
const pinFile = '/etc/apt/preferences.d/bulkhead.pref';

const source = (url: string) => `Types: deb
URIs: ${url}/apt
Suites: stable
Components: main
Signed-By: ${keyFile}
`;

/** A host name, since whoever serves the repository could write any other field. */
const pin = (url: string) => `# Nothing but Bulkhead is taken from its repository.
Package: *
Pin: origin "${new URL(url).hostname}"
Pin-Priority: -1

Package: bulkhead*
Pin: origin "${new URL(url).hostname}"
Pin-Priority: 500
`;

const copyright = `Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/

Files: *
Copyright: Bulkhead contributors
License: Apache-2.0
 On Debian systems, the license is in /usr/share/common-licenses/Apache-2.0.
`;

/** Builds it in the work directory, and returns its path. The same key and address give the same bytes. */
export async function buildKeyring(job: Job, key: SigningKey): Promise<string> {
  const { url, keyringVersion: version } = job.site;
  const tree = new Tree();
  tree.write(keyFile, key.binary);
  tree.write(sourceFile, source(url));
  tree.write(pinFile, pin(url));
  tree.write(`/usr/share/doc/${keyringName}/copyright`, copyright);
  const directory = join(job.work, 'keyring');
  // The date of a signature has no part in it.
  const epoch = key.created;
  tree.writeTo(directory, epoch);
  controlOf(tree, version).writeTo(join(directory, 'DEBIAN'), epoch);
  const file = join(job.work, 'made', `${keyringName}_${version}_all.deb`);
  mkdirSync(join(job.work, 'made'), { recursive: true });
  const args = ['--root-owner-group', '-Zxz', '--build', directory, file];
  await run({ ...job, epoch }, 'dpkg-deb', args, '/', { DPKG_DEB_THREADS_MAX: '1' });
  return file;
}

function controlOf(tree: Tree, version: string): Tree {
  const control = new Tree();
  const fields = {
    Package: keyringName,
    Version: version,
    Architecture: 'all',
    Maintainer: maintainer(),
    Section: 'misc',
    Priority: 'optional',
    Description:
      'repository and signing key of Bulkhead\n The key, the source for apt, and a pin by which apt takes nothing but\n Bulkhead from it.',
  };
  const lines = Object.entries(fields).map(([name, value]) => `${name}: ${value}\n`);
  control.write('/control', lines.join(''));
  control.write('/conffiles', `${sourceFile}\n${pinFile}\n`);
  const sums = tree.entries.flatMap(([path, entry]) => {
    const content = contentOf(entry);
    return content === undefined ? [] : [`${digestOf('md5', content)}  ${path.slice(1)}\n`];
  });
  control.write('/md5sums', sums.join(''));
  return control;
}
