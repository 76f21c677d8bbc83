/**
 * Node.js and koffi's native part for a processor, as npm's packages have them: from node_modules, or for another
 * processor from the registry, as far as package-lock.json has their digest.
 */
import { createHash } from 'node:crypto';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { root } from '../steps.ts';
import { progress, run, stripFor, type Build, type Processor } from './tools.ts';

export const nodePackage = (processor: Processor) => `node-linux-${processor}`;
/** The program that draws SVG as PNG, and its font: WebAssembly and data, the same for all processors. */
export const resvgPackage = '@resvg/resvg-wasm';
export const fontPackage = '@fontsource/dejavu-sans';
export const koffiPackage = (processor: Processor) => `@koromix/koffi-linux-${processor}`;

/** A package of package-lock.json. */
export interface LockedPackage {
  readonly version: string;
  readonly license: string;
  /** `sha512-` and the digest of its archive in base64. */
  readonly integrity: string;
}

const lock = (): Readonly<Record<string, LockedPackage>> =>
  (
    JSON.parse(readFileSync(`${root}package-lock.json`, 'utf8')) as {
      packages: Readonly<Record<string, LockedPackage>>;
    }
  ).packages;

export function lockedPackage(name: string): LockedPackage {
  const found = lock()[`node_modules/${name}`];
  if (found === undefined) throw new Error(`package-lock.json has no ${name}`);
  return found;
}

/** Returns the directory of a package that npm brings. */
export async function packageDirectory(build: Build, name: string): Promise<string> {
  const installed = `${root}node_modules/${name}`;
  return existsSync(installed) ? installed : fetchPackage(build, name);
}

/** The directory for packages of other processors, which later builds find there. */
const cache = `${root}node_modules/.cache/bulkhead-package`;

async function fetchPackage(build: Build, name: string): Promise<string> {
  const { version, integrity } = lockedPackage(name);
  const kept = join(cache, `${name}@${version}`);
  if (existsSync(kept)) return kept;
  const aside = join(build.work, 'fetched', name);
  const fetched = join(aside, 'package');
  if (existsSync(fetched)) return fetched;
  progress(`Fetching ${name} ${version}`);
  mkdirSync(aside, { recursive: true });
  // npm has its registry and proxy from the caller's environment.
  const args = ['pack', '--silent', '--ignore-scripts', '--pack-destination', aside];
  const made = await run(build, 'npm', [...args, `${name}@${version}`], root, process.env);
  const archive = join(aside, made.trim());
  verify(name, readFileSync(archive), integrity);
  await run(build, 'tar', ['-xzf', archive, '-C', aside, '--no-same-owner']);
  rmSync(archive);
  return keep(fetched, kept);
}

function verify(name: string, archive: Uint8Array, integrity: string): void {
  const digest = `sha512-${createHash('sha512').update(archive).digest('base64')}`;
  if (digest !== integrity)
    throw new Error(`${name} of the registry is not the one that package-lock.json names`);
}

/** Puts a complete package into the cache, and returns its path. A cache that cannot be written to is left out. */
function keep(from: string, to: string): string {
  const aside = `${to}.${process.pid}`;
  try {
    mkdirSync(dirname(to), { recursive: true });
    cpSync(from, aside, { recursive: true });
    renameSync(aside, to);
    return to;
  } catch {
    // Another account owns the clone, or another build was quicker.
    return from;
  } finally {
    rmSync(aside, { recursive: true, force: true });
  }
}

/** Writes a program without its symbols, which is a fifth of Node.js, and returns the path. */
export async function stripped(build: Build, processor: Processor, from: string): Promise<string> {
  const path = join(build.work, 'stripped', processor, from.replaceAll('/', '_'));
  mkdirSync(dirname(path), { recursive: true });
  // The file may be one that others only may read.
  const args = ['--strip-unneeded', '--remove-section=.comment', '-o', path, from];
  await run(build, stripFor(processor), args);
  chmodSync(path, 0o644);
  return path;
}
