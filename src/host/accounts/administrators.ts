/** The accounts that may become root through a group: they should not be limited when they do. */
import { userPattern } from '../../policy/value-kinds.ts';
import { readText } from '../../../packages/base/io/read.ts';
import type { Paths } from '../paths.ts';

export const administratorsOf = ({ etc }: Paths): readonly string[] =>
  parseAdministrators(readText(`${etc}/group`) ?? '');

/** Parses lines of group(5) such as `sudo:x:27:alice,bob`. */
export function parseAdministrators(group: string): readonly string[] {
  const lines = group.matchAll(/^(?:sudo|wheel|admin):[^:\n]*:\d*:([^:\n]*)$/gm);
  const names = [...lines].flatMap((match) => (match[1] ?? '').split(','));
  return [...new Set(names)].filter((name) => userPattern.test(name)).sort();
}
