/** Modules that modprobe must not load, from the modprobe.d(5) files of this host. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { deniedModules, parseModprobe } from '../../core/modprobe/modprobe.ts';
import { readBounded } from '../../../base/io/regular-file.ts';

/** The directories; a file in an earlier one hides files of the same name in later ones. */
const directories = [
  '/etc/modprobe.d',
  '/run/modprobe.d',
  '/usr/lib/modprobe.d',
  '/lib/modprobe.d',
];
const filesMax = 1000;
const bytesMax = 2 ** 20;

/** Returns name, with underscores → where it is denied, as `FILE:LINE`. */
export function modprobeDenials(
  places: readonly string[] = directories,
): ReadonlyMap<string, string> {
  const files = new Map<string, string>();
  for (const directory of places) {
    for (const name of confFiles(directory))
      if (!files.has(name)) files.set(name, join(directory, name));
  }
  const settings = [...files.values()].slice(0, filesMax).flatMap((path) => {
    const read = readBounded(path, bytesMax);
    return read.ok ? parseModprobe(path, Buffer.from(read.value).toString('utf8')).settings : [];
  });
  return new Map(
    [...deniedModules(settings)].map(([name, { file, line }]) => [name, `${file}:${line}`]),
  );
}

function confFiles(directory: string): readonly string[] {
  try {
    return readdirSync(directory).filter((name) => name.endsWith('.conf'));
  } catch {
    return [];
  }
}
