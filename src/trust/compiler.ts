/** The compiler that a module names: `GCC: (Debian 14.2.0-19) 14.2.0` in its `.comment` section. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { fail, ok, type Result } from '../units/result.ts';

export interface Compiler {
  readonly program: string;
  /** Where the version is the same and the distribution's build of it is not. */
  readonly note: string | undefined;
}

const run = promisify(execFile);

/** Finds it among the installed ones: same version, and best the same build of it. */
export async function findCompiler(named: readonly string[]): Promise<Result<Compiler>> {
  const [first] = named;
  if (first === undefined) {
    return fail('the module does not say which compiler built it (it has no .comment section)');
  }
  const match = /^GCC: \(([^)]{1,100})\) (\d{1,3})\.(\d{1,3}\.\d{1,3})/.exec(first);
  if (match === null) return fail(`the module was built by "${first.slice(0, 200)}", not by GCC`);
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
  return fail(
    `compiler GCC ${version} (${build}) is not installed${there}; apt install gcc-${major}`,
  );
}

/** `gcc-14 (Debian 14.2.0-19) 14.2.0`; undefined when the program is missing. */
async function bannerOf(program: string): Promise<string | undefined> {
  const options = { env: { PATH: '/usr/bin:/bin', LC_ALL: 'C' }, timeout: 10_000 };
  try {
    const { stdout } = await run(program, ['--version'], options);
    return stdout.split('\n')[0]?.trim();
  } catch {
    return undefined;
  }
}

function noteOn(banner: string, build: string): string | undefined {
  if (banner.includes(`(${build})`)) return undefined;
  return `The module was built by "${build}", and the compiler here is "${banner}"`;
}
