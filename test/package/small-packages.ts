/** Packages without files, for what a test says of them. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

interface DebFields {
  readonly name: string;
  readonly version: string;
  readonly architecture: string;
}

/** Makes an empty .deb in a directory. */
export function emptyDeb(directory: string, { name, version, architecture }: DebFields): void {
  const tree = join(directory, 'tree');
  mkdirSync(join(tree, 'DEBIAN'), { recursive: true });
  writeFileSync(
    join(tree, 'DEBIAN/control'),
    `Package: ${name}\nVersion: ${version}\nArchitecture: ${architecture}\nMaintainer: Test <test@example.org>\nDescription: empty\n`,
  );
  must('dpkg-deb', '--build', tree, join(directory, `${name}_${version}_${architecture}.deb`));
  rmSync(tree, { recursive: true });
}

/** The names of what the package needs from Enterprise Linux 9. */
const provided = [
  'glibc = 2.34',
  'libatomic',
  'libgcc',
  'libstdc++',
  'util-linux',
  '/bin/sh',
  '/usr/bin/perl',
  ...['Cwd', 'Errno', 'Fcntl', 'POSIX', 'Socket', 'constant', 'strict', 'warnings'].map(
    (each) => `perl(${each})`,
  ),
];

/** Makes an empty .rpm that provides what Enterprise Linux has, and returns its path. */
export function standInRpm(directory: string): string {
  mkdirSync(directory, { recursive: true });
  const spec = join(directory, 'stand-in.spec');
  writeFileSync(
    spec,
    `Name: stand-in
Version: 1
Release: 1
Summary: stands in for a distribution
License: MIT
BuildArch: noarch
${provided.map((each) => `Provides: ${each}`).join('\n')}
%description
None.
%files
`,
  );
  must('rpmbuild', '-bb', '--quiet', '--define', `_topdir ${directory}`, spec);
  return join(directory, 'RPMS/noarch/stand-in-1-1.noarch.rpm');
}

function must(program: string, ...args: readonly string[]): void {
  const { status, stderr } = spawnSync(program, args, { encoding: 'utf8' });
  assert.equal(status, 0, stderr);
}
