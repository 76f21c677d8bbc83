/** Builds the package for Debian and Ubuntu. */
import { mkdirSync, readFileSync } from 'node:fs';
import { root } from '../steps.ts';
import { copyrightFile } from './copyright.ts';
import { description, maintainer, ownFile, revision, summary } from './identity.ts';
import { documentation, zshCompletion, type Stage } from './stage.ts';
import { progress, run, type Build, type Processor } from './tools.ts';
import { contentOf, digestOf, Tree } from './tree.ts';

const architectures = { x64: 'amd64', arm64: 'arm64' } as const;

/** Builds it in the work directory, and returns its path. */
export async function buildDeb(build: Build, stage: Stage, processor: Processor): Promise<string> {
  const architecture = architectures[processor];
  const version = `${stage.version}-${revision}`;
  const tree = stage.tree.clone();
  await addDebianFiles(build, stage, tree, version);
  const directory = `${build.work}/deb-${processor}`;
  const control = new Tree();
  addControl(control, tree, { version, architecture });
  tree.writeTo(directory, build.epoch);
  control.writeTo(`${directory}/DEBIAN`, build.epoch);
  const file = `${build.work}/made/bulkhead_${version}_${architecture}.deb`;
  mkdirSync(`${build.work}/made`, { recursive: true });
  progress(`Writing the .deb for ${architecture}`);
  const compression = build.fast ? ['-Zgzip', '-z1'] : ['-Zxz', '-z6'];
  // More threads would write other blocks on a machine with more processors.
  const env = { DPKG_DEB_THREADS_MAX: '1' };
  const args = ['--root-owner-group', ...compression, '--build', directory, file];
  await run(build, 'dpkg-deb', args, '/', env);
  return file;
}

async function addDebianFiles(
  build: Build,
  { components }: Stage,
  tree: Tree,
  version: string,
): Promise<void> {
  tree.write(`${documentation}/copyright`, copyrightFile(components));
  tree.writeGzip(`${documentation}/changelog`, readFileSync(`${root}CHANGELOG.md`, 'utf8'));
  tree.writeGzip(`${documentation}/changelog.Debian`, changelog(version, build.epoch));
  tree.write('/usr/share/zsh/vendor-completions/_bulkhead', await zshCompletion());
  tree.write('/usr/share/lintian/overrides/bulkhead', ownFile('deb', 'lintian-overrides'));
}

const changelog = (
  version: string,
  epoch: number,
) => `bulkhead (${version}) unstable; urgency=medium

  * This version; see changelog.gz for what has changed.

 -- ${maintainer()}  ${new Date(epoch * 1000).toUTCString().replace('GMT', '+0000')}
`;

/** The description as control has it: a dot for each empty line. */
const descriptionLines = description.join('\n.\n').split('\n');

/**
 * The oldest versions that Node.js and koffi run with: Debian 10 and Ubuntu 20.04. The symbols of the machine that
 * builds them would ask for newer ones.
 */
const depends = [
  'libatomic1',
  'libc6 (>= 2.28)',
  'libgcc-s1 | libgcc1',
  'libstdc++6 (>= 7)',
  'util-linux (>= 2.31)',
];

function addControl(
  control: Tree,
  tree: Tree,
  { version, architecture }: { readonly version: string; readonly architecture: string },
): void {
  const files = tree.entries.map(([path, entry]) => ({ path, content: contentOf(entry) }));
  const kibibytes = files.map(({ content }) => Math.ceil((content?.length ?? 1) / 1024));
  const fields = {
    Package: 'bulkhead',
    Version: version,
    Architecture: architecture,
    Maintainer: maintainer(),
    'Installed-Size': kibibytes.reduce((sum, each) => sum + each, 0),
    Depends: depends.join(', '),
    // Guards are BPF programs, and a host without them has its limits all the same.
    Recommends: 'libbpf1 | libbpf0',
    Section: 'admin',
    Priority: 'optional',
    Description: [summary, ...descriptionLines].join('\n '),
  };
  const lines = Object.entries(fields).map(([name, value]) => `${name}: ${value}\n`);
  control.write('/control', lines.join(''));
  const sums = files.flatMap(({ path, content }) =>
    content === undefined ? [] : [`${digestOf('md5', content)}  ${path.slice(1)}\n`],
  );
  control.write('/md5sums', sums.join(''));
  for (const each of ['postinst', 'prerm', 'postrm'])
    control.write(`/${each}`, ownFile('deb', each), 0o755);
}
