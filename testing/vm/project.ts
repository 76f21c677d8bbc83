/** The project under test: its sources, and the npm packages that it needs at run time. */
import { cp, mkdir, readFile, symlink } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { succeed } from './command.ts';

export const projectDirectory = resolve(import.meta.dirname, '../..');

/** Development packages that tests in the guest use; small, and without parts to build. */
const testPackages = [
  'fast-check',
  'pure-rand',
  'ajv',
  'fast-deep-equal',
  'fast-uri',
  'json-schema-traverse',
  'require-from-string',
];
/** Parts of the node package that nothing in the guest reads. */
const unused = /\/node-linux-[^/]+\/(include|share|CHANGELOG\.md)$/;

interface NpmPackage {
  /** The path in package-lock.json: "node_modules/koffi". */
  readonly directory: string;
  readonly version: string;
}

interface LockFile {
  readonly packages: Readonly<Record<string, { version: string; dev?: boolean; link?: boolean }>>;
}

/**
 * Returns the packages for the guest, from package-lock.json: production ones, and the few that
 * tests in the guest use. Packages for other platforms are not on this host, and left out.
 */
export async function guestPackages(): Promise<NpmPackage[]> {
  const text = await readFile(join(projectDirectory, 'package-lock.json'), 'utf8');
  const { packages } = JSON.parse(text) as LockFile;
  return Object.entries(packages)
    .filter(([directory, { dev, link }]) => link !== true && isWanted(directory, dev === true))
    .map(([directory, { version }]) => ({ directory, version }));
}

function isWanted(directory: string, isDevelopment: boolean): boolean {
  // The project itself and its workspaces are copied with its files.
  if (!directory.startsWith('node_modules/')) return false;
  const name = directory.replace(/^node_modules\//, '');
  if (isDevelopment && !testPackages.includes(name)) return false;
  return existsSync(join(projectDirectory, directory));
}

/** Copies those packages into `INTO/node_modules`, and links the pinned node as npm does. */
export async function copyGuestPackages(packages: readonly NpmPackage[], into: string) {
  for (const { directory } of packages) {
    await cp(join(projectDirectory, directory), join(into, directory), {
      recursive: true,
      filter: (path) => !unused.test(path),
    });
  }
  const bin = join(into, 'node_modules/.bin');
  await mkdir(bin, { recursive: true });
  await symlink(`../node-linux-${process.arch}/bin/node`, join(bin, 'node'));
}

/**
 * Returns the project's files, relative to its directory: tracked, and new ones that are not
 * ignored.
 */
export async function projectFiles(): Promise<string[]> {
  const list = async (...options: string[]) => {
    // CI often checks out as another user, which git would refuse to read.
    const argv = ['git', '-c', `safe.directory=${projectDirectory}`, 'ls-files', '-z', ...options];
    const stdout = await succeed("list the project's files", argv, { cwd: projectDirectory });
    return stdout.split('\0').filter((file) => file !== '');
  };
  const deleted = new Set(await list('--deleted'));
  const files = await list('--cached', '--others', '--exclude-standard');
  return files.filter((file) => !deleted.has(file));
}
