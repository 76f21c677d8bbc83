/** The groups of this host, by name. Source: group(5). */
import { readText } from '../../../packages/base/io/read.ts';
import type { Paths } from '../paths.ts';

/** Returns the gids; none if the file cannot be read. */
export const readGroups = ({ etc }: Pick<Paths, 'etc'>): Map<string, number> =>
  parseGroups(readText(`${etc}/group`) ?? '');

/** Parses lines such as `www-data:x:33:`. The first line of a name counts. */
export function parseGroups(text: string): Map<string, number> {
  const groups = new Map<string, number>();
  for (const line of text.split('\n')) {
    const [name = '', , gid = ''] = line.split(':');
    if (name !== '' && /^\d{1,10}$/.test(gid) && !groups.has(name)) groups.set(name, Number(gid));
  }
  return groups;
}
