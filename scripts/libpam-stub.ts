/**
 * A libpam of another processor, as far as the linker has to see it: the names of this machine's libpam with their
 * versions, and no code. The PAM module is linked with it for a processor of which no libpam is installed; where the
 * module runs, the loader takes the real one.
 */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';

/** Makes the library in a directory. `compiler` is the other processor's. */
export function makeLibpamStub(directory: string, compiler: string): void {
  const versions = versionsOf(installedLibpam());
  const script = [...versions].map(([version, names]) => `${version} { ${names.join('; ')}; };\n`);
  const source = [...versions.values()].flat().map((name) => `void ${name}(void) {}\n`);
  writeFileSync(`${directory}/pam.map`, script.join(''));
  writeFileSync(`${directory}/pam.c`, source.join(''));
  const linked = [`-Wl,--version-script=${directory}/pam.map`, '-Wl,-soname,libpam.so.0'];
  const options = ['-shared', '-fPIC', '-nostdlib', '-w', ...linked];
  execFileSync(compiler, [...options, '-o', `${directory}/libpam.so`, `${directory}/pam.c`]);
}

const installedLibpam = (): string =>
  execFileSync('gcc', ['-print-file-name=libpam.so'], { encoding: 'utf8' }).trim();

/**
 * Reads what `objdump -T` prints of a library:
 *
 *     0000000000004a40 g    DF .text	00000000000000d0  LIBPAM_1.0  pam_get_item
 */
function versionsOf(library: string): ReadonlyMap<string, readonly string[]> {
  const versions = new Map<string, string[]>();
  const text = execFileSync('objdump', ['-T', library], { encoding: 'utf8' });
  for (const [, version = '', name = ''] of text.matchAll(/ \.text\s+\S+ +(LIBPAM\S*) +(\S+)$/gm))
    versions.set(version, [...(versions.get(version) ?? []), name]);
  return versions;
}
