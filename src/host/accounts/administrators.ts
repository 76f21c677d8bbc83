/** The accounts that may become root through a group: they should not be limited when they do. */
import { userPattern } from '../../policy/value-kinds.ts';
import { readText } from '../../../packages/base/io/read.ts';
import type { Paths } from '../paths.ts';
import { parsePasswd } from './accounts.ts';

/** Returns members of such a group, and accounts whose own group it is. */
export function administratorsOf({ etc }: Paths): readonly string[] {
  const group = readText(`${etc}/group`) ?? '';
  const gids = new Set(
    [...group.matchAll(/^(?:sudo|wheel|admin):[^:\n]*:(\d+):/gm)].map(([, gid]) => Number(gid)),
  );
  const own = parsePasswd(readText(`${etc}/passwd`) ?? '').filter(({ gid }) => gids.has(gid));
  return [...new Set([...parseAdministrators(group), ...own.map(({ user }) => user)])].sort();
}

/** Parses lines of group(5) such as `sudo:x:27:alice,bob`. */
export function parseAdministrators(group: string): readonly string[] {
  const lines = group.matchAll(/^(?:sudo|wheel|admin):[^:\n]*:\d*:([^:\n]*)$/gm);
  const names = [...lines].flatMap((match) => (match[1] ?? '').split(','));
  return [...new Set(names)].filter((name) => userPattern.test(name)).sort();
}
