/** Resolves symbolic links where only root can have made them. */
import { lstatSync, readlinkSync, type Stats } from 'node:fs';
import { dirname, isAbsolute, join } from 'node:path';
import { writableByOthers } from '../../../packages/base/io/pinned-directory.ts';
import type { Cause } from '../../../packages/base/problem.ts';
import { fail, ok, type Result } from '../../../packages/base/result.ts';

const linksMax = 16;

/** The hint of an error about another link. */
export const notRoots = 'only links of root in directories of root are followed';

/** Returns the path without links. An error names a link that others than root can have made. */
export function withoutRootsLinks(path: string): Result<string, Cause> {
  let rest = path.split('/').filter((name) => name !== '');
  let at = '/';
  for (let links = 0; rest.length > 0;) {
    const [name = '', ...after] = rest;
    const next = join(at, name);
    const stat = lstatSync(next, { throwIfNoEntry: false });
    if (stat?.isSymbolicLink() !== true) {
      at = next;
      rest = after;
      continue;
    }
    if (++links > linksMax) return fail({ reason: `${path} has more than ${linksMax} links` });
    if (!isRoots(stat) || !isRootsAlone(lstatSync(dirname(next)))) {
      return fail({ reason: `${next} is a symbolic link of uid ${stat.uid}`, hint: notRoots });
    }
    const target = readlinkSync(next);
    rest = [...target.split('/').filter((each) => each !== ''), ...after];
    if (isAbsolute(target)) at = '/';
  }
  return ok(at);
}

const isRoots = (stat: Stats) => stat.uid === 0;
const isRootsAlone = (stat: Stats) => isRoots(stat) && !writableByOthers(stat);
