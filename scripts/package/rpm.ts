/** Builds the package for enterprise Linux 8, 9 and 10, from the same tree as Debian's. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { root } from '../steps.ts';
import { description, maintainer, ownFile, revision, summary } from './identity.ts';
import type { Component } from './licenses.ts';
import { documentation, home, zshCompletion, type Stage } from './stage.ts';
import { progress, run, type Build, type Processor } from './tools.ts';
import type { TreeEntry } from './tree.ts';

const architectures = { x64: 'x86_64', arm64: 'aarch64' } as const;

/** Builds it in the work directory, and returns its path. */
export async function buildRpm(build: Build, stage: Stage, processor: Processor): Promise<string> {
  const architecture = architectures[processor];
  const tree = stage.tree.clone();
  tree.write('/usr/share/zsh/site-functions/_bulkhead', await zshCompletion());
  tree.copy('/usr/share/licenses/bulkhead/LICENSE', `${root}LICENSE`);
  tree.copy('/usr/share/licenses/bulkhead/GPL-2.0-only.txt', `${root}LICENSES/GPL-2.0-only.txt`);
  const work = `${build.work}/rpm-${processor}`;
  tree.writeTo(`${work}/tree`, build.epoch);
  const spec = `${work}/bulkhead.spec`;
  writeFileSync(spec, specOf(build, stage, tree.entries, `${work}/tree`));
  mkdirSync(`${work}/tmp`);
  progress(`Writing the .rpm for ${architecture}`);
  const settings = settingsOf(build, work);
  const defines = Object.entries(settings).flatMap(([name, value]) => [
    '--define',
    `${name} ${value}`,
  ]);
  await run(
    build,
    'rpmbuild',
    ['-bb', '--quiet', '--target', architecture, ...defines, spec],
    work,
  );
  return `${work}/made/bulkhead-${stage.version}-${revision}.${architecture}.rpm`;
}

/** Settings by which the machine and its configuration have no part in the package. */
const settingsOf = (build: Build, work: string): Readonly<Record<string, string>> => ({
  _topdir: work,
  _rpmdir: `${work}/made`,
  _rpmfilename: '%%{NAME}-%%{VERSION}-%%{RELEASE}.%%{ARCH}.rpm',
  _tmppath: `${work}/tmp`,
  _buildhost: 'reproducible',
  use_source_date_epoch_as_buildtime: '1',
  build_mtime_policy: 'clamp_to_source_date_epoch',
  clamp_mtime_to_source_date_epoch: '1',
  _build_id_links: 'none',
  // The rpm of enterprise Linux 8 reads these, and no zstd.
  _binary_payload: build.fast ? 'w1.gzdio' : 'w6.xzdio',
  _source_filedigest_algorithm: '8',
  _binary_filedigest_algorithm: '8',
  // Its scripts would strip and compress again what is done already.
  __os_install_post: '%{nil}',
  debug_package: '%{nil}',
});

/**
 * Names of enterprise Linux 8 to 10; rpm on Debian would find Debian's. The broker needs the Perl modules, and
 * libatomic is a package of its own there, which Node.js needs.
 */
const required = [
  'glibc >= 2.28',
  'libatomic',
  'libgcc',
  'libstdc++',
  'util-linux',
  '/usr/bin/perl',
  ...['Cwd', 'Errno', 'Fcntl', 'POSIX', 'Socket', 'constant', 'strict', 'warnings'].map(
    (each) => `perl(${each})`,
  ),
];

function specOf(
  build: Build,
  { version, components }: Stage,
  entries: readonly (readonly [string, TreeEntry])[],
  directory: string,
): string {
  const date = new Date(build.epoch * 1000);
  const [weekday, day, month, year] = date.toUTCString().replace(',', '').split(' ');
  return `Name: bulkhead
Version: ${version}
Release: ${revision}
Summary: ${summary.charAt(0).toUpperCase()}${summary.slice(1)}
License: ${expressionOf(components)}
Vendor: ${maintainer()}
Packager: ${maintainer()}
Group: System Environment/Daemons
${required.map((each) => `Requires: ${each}`).join('\n')}
Recommends: libbpf
AutoReqProv: no

%description
${description.join('\n\n')}

%install
cp -a ${directory}/. %{buildroot}/

${['post', 'preun', 'postun', 'posttrans'].map(scriptlet).join('\n')}
%files
${entries.flatMap(fileLine).join('\n')}

%changelog
* ${weekday} ${month} ${day} ${year} ${maintainer()} - ${version}-${revision}
- This version
`;
}

const scriptlet = (name: string): string => `%${name}\n${ownFile('rpm', name)}`;

const expressionOf = (components: readonly Component[]): string =>
  [...new Set(['Apache-2.0', 'GPL-2.0-only', ...components.map(({ license }) => license)])]
    .sort()
    .join(' AND ');

/** Directories that only this package has; the others are the distribution's. */
const ownDirectories = [home, documentation, '/usr/share/licenses/bulkhead'];

function fileLine([path, entry]: readonly [string, TreeEntry]): readonly string[] {
  switch (entry.kind) {
    case 'directory':
      return ownDirectories.some((each) => `${path}/`.startsWith(`${each}/`))
        ? [`%dir %attr(0755, root, root) "${path}"`]
        : [];
    case 'link':
      return [`%attr(-, root, root) "${path}"`];
    case 'file':
    case 'text': {
      const kind = path.startsWith('/usr/share/licenses/') ? '%license ' : '';
      const doc = /^\/usr\/share\/(?:doc|man)\//.test(path) ? '%doc ' : '';
      return [`${kind}${doc}%attr(0${entry.mode.toString(8)}, root, root) "${path}"`];
    }
  }
}
