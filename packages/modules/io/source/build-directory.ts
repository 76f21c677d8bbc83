/**
 * The directory that an external module was built in: `__FILE__` leaves it in warnings,
 * `/var/lib/dkms/v4l2loopback/0.15.0/build/v4l2loopback.c`.
 */
import { sectionTypes } from '../../core/elf/elf-format.ts';
import type { Elf } from '../../core/elf/elf.ts';

const pathsMax = 1000;
/** A path that needs no quoting in a makefile or for a shell. */
const plain = /^\/[\w./+~@%:,-]{0,300}$/;

/**
 * Returns the directory; undefined when the module names none of the source's files by its whole
 * path.
 */
export function buildDirectoryOf(elf: Elf, files: readonly string[]): string | undefined {
  const known = new Set(files);
  for (const path of absolutePaths(elf)) {
    for (let at = path.indexOf('/', 1); at !== -1; at = path.indexOf('/', at + 1)) {
      const directory = path.slice(0, at);
      if (known.has(path.slice(at + 1)) && plain.test(directory)) return directory;
    }
  }
  return undefined;
}

function* absolutePaths(elf: Elf): Generator<string> {
  let count = 0;
  for (const section of elf.sections) {
    if (section.type !== sectionTypes.progbits || !section.name.startsWith('.rodata')) continue;
    const text = Buffer.from(elf.data(section)).toString('latin1');
    for (const [, path = ''] of text.matchAll(/(?:^|\0)(\/[^\0]{1,400}\.[chS])(?=\0)/g)) {
      if (++count > pathsMax) return;
      yield path;
    }
  }
}
