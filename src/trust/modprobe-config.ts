/** What modprobe is told not to load, by the files of modprobe.d(5) on this host. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { deniedModules, parseModprobe } from '../modules/loader/modprobe.ts';
import { readBounded } from './read-bounded.ts';

/** A file in an earlier one hides those of its name in the later. */
const folders = ['/etc/modprobe.d', '/run/modprobe.d', '/usr/lib/modprobe.d', '/lib/modprobe.d'];
const mostFiles = 1000;
const mostBytes = 2 ** 20;

/** Name, with underscores → where it is denied, as `FILE:LINE`. */
export function modprobeDenials(places: readonly string[] = folders): ReadonlyMap<string, string> {
  const files = new Map<string, string>();
  for (const folder of places) {
    for (const name of confFiles(folder)) if (!files.has(name)) files.set(name, join(folder, name));
  }
  const settings = [...files.values()].slice(0, mostFiles).flatMap((path) => {
    const read = readBounded(path, mostBytes);
    return read.ok ? parseModprobe(path, Buffer.from(read.value).toString('utf8')).settings : [];
  });
  return new Map(
    [...deniedModules(settings)].map(([name, { file, line }]) => [name, `${file}:${line}`]),
  );
}

function confFiles(folder: string): readonly string[] {
  try {
    return readdirSync(folder).filter((name) => name.endsWith('.conf'));
  } catch {
    return [];
  }
}
