/** The sources of Debian packages for mkosi: the same as those of apt on this host. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { aptFetchOptions, debianSources } from '../../testing/vm/apt.ts';

/**
 * Makes files that mkosi's apt reads while it builds, and that are not in the image: this host's sources of a release of
 * Debian, and how it fetches. A host without such sources leaves mkosi its own.
 */
export async function makeAptFiles(directory: string, release: string): Promise<void> {
  const apt = `${directory}/etc/apt`;
  mkdirSync(`${apt}/sources.list.d`, { recursive: true });
  mkdirSync(`${apt}/apt.conf.d`);
  const all = await debianSources();
  const own = all.filter((source) => new RegExp(` ${release}(?:-[a-z]+)? `).test(source));
  if (own.length === 0) return;
  writeFileSync(`${apt}/sources.list.d/bulkhead.list`, `${[...new Set(own)].join('\n')}\n`);
  // As long as it is there, mkosi writes no sources of its own.
  writeFileSync(`${apt}/sources.list.d/mkosi.sources`, '');
  const options = await aptFetchOptions();
  writeFileSync(`${apt}/apt.conf.d/50bulkhead`, options.map((each) => `${each}\n`).join(''));
}
