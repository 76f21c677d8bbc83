/** The compiler that a module names: `GCC: (Debian 14.2.0-19) 14.2.0` in its `.comment` section. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { Cause } from '../../../base/problem.ts';
import { fail, ok, type Result } from '../../../base/result.ts';

export interface Compiler {
  readonly program: string;
  /** A remark if the version is the same, but not the distribution's build of it. */
  readonly note: string | undefined;
}

const run = promisify(execFile);

/**
 * Finds the compiler among the installed ones: the same version, and preferably the same build of
 * it.
 */
export async function findCompiler(named: readonly string[]): Promise<Result<Compiler, Cause>> {
  // Every build makes the last objects; an earlier one may have been linked in ready-made.
  const own = named.at(-1);
  if (own === undefined) {
    return fail({ reason: 'the module does not name its compiler (it has no .comment section)' });
  }
  const match = /^GCC: \(([^)]{1,100})\) (\d{1,3})\.(\d{1,3}\.\d{1,3})/.exec(own);
  if (match === null)
    return fail({ reason: `the module was built by "${own.slice(0, 200)}", not by GCC` });
  const [, build = '', major = '', minor = ''] = match;
  const version = `${major}.${minor}`;
  const banners: string[] = [];
  for (const program of [`gcc-${major}`, 'gcc']) {
    const banner = await bannerOf(program);
    if (banner === undefined) continue;
    if (banner.endsWith(` ${version}`)) return ok({ program, note: noteOn(banner, build) });
    banners.push(`"${program}" is "${banner}"`);
  }
  const there = banners.length === 0 ? '' : ` (${banners.join(', ')})`;
  const advice = (await isPackage(`gcc-${major}`))
    ? `install it (apt install gcc-${major})`
    : 'no package in the configured sources has it';
  return fail({
    reason: `compiler GCC ${version} (${build}) is not installed${there}`,
    hint: advice,
  });
}

/** Whether apt knows a package of that name. */
async function isPackage(name: string): Promise<boolean> {
  try {
    await run('apt-cache', ['show', '--no-all-versions', name], environment);
    return true;
  } catch {
    return false;
  }
}

const environment = { env: { PATH: '/usr/bin:/bin', LC_ALL: 'C' }, timeout: 10_000 };

/**
 * Returns a program's first line, `gcc-14 (Debian 14.2.0-19) 14.2.0`; undefined when the program is
 * missing.
 */
async function bannerOf(program: string): Promise<string | undefined> {
  try {
    const { stdout } = await run(program, ['--version'], environment);
    return stdout.split('\n')[0]?.trim();
  } catch {
    return undefined;
  }
}

function noteOn(banner: string, build: string): string | undefined {
  if (banner.includes(`(${build})`)) return undefined;
  return `The module was built by "${build}", and the compiler here is "${banner}"`;
}
