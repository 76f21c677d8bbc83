/**
 * Pools as written in a file that php-fpm does not accept. This is enough to know each pool's owner, and its address.
 *
 *     [shop]
 *     user = "bob"
 *     listen = /run/php/$pool.sock      →      shop: user bob, listen /run/php/shop.sock
 */
import type { FpmSection } from '../dump.ts';

const header = /^[ \t]*\[([^\]\n]*)\]/;
const setting = /^[ \t]*([a-z_.]+)[ \t]*=[ \t]*(?:"([^"]*)"|'([^']*)'|([^;\r\n]*))/;

/** Parses sections. The last value counts, as with php-fpm. */
export function sectionsInText(text: string): readonly FpmSection[] {
  const sections = new Map<string, Map<string, string>>();
  let values: Map<string, string> | undefined;
  let pool = '';
  for (const line of text.split('\n')) {
    const name = header.exec(line)?.[1]?.trim();
    if (name !== undefined) {
      pool = name;
      values = sections.get(name) ?? new Map<string, string>();
      sections.set(name, values);
      continue;
    }
    const [, key, ...found] = setting.exec(line) ?? [];
    const value = found.find((each) => each !== undefined)?.trim();
    if (key !== undefined && value !== undefined) values?.set(key, value.replaceAll('$pool', pool));
  }
  sections.delete('global');
  return [...sections].map(([name, each]) => ({ name, values: each }));
}
