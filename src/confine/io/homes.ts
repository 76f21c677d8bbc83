/**
 * The directories with homes, as a sandbox names them. They belong to root, so that no tenant decides what a path leads
 * to.
 */
import { lstatSync } from 'node:fs';
import { printable } from '../../../packages/base/printable.ts';
import type { Account } from '../../policy/policy.ts';

/** Directories of the system, which are never opened as a whole, whatever homes accounts have. */
const system =
  /^\/(|etc|usr|boot|dev|proc|sys|run|root|bin|sbin|lib\w*|opt|tmp|var|nonexistent)$|^\/(etc|usr|boot|dev|proc|sys|run|bin|sbin|root)\/|^\/var\/(lib|log|cache|spool|tmp|mail|run|lock|backups|local|opt)$/;
const depthMax = 64;

/** Returns the directories; `/home` is always one, since accounts may be created later. */
export function homeDirectories(accounts: readonly Account[]): readonly string[] {
  const found = new Set(['/home']);
  for (const { home } of accounts) {
    const base = trustedParent(home);
    if (base !== undefined && !system.test(base)) found.add(base);
  }
  const all = [...found].toSorted();
  return all.filter((each) => !all.some((other) => each.startsWith(`${other}/`)));
}

/** Returns the deepest directory above the home that only root can replace. */
function trustedParent(home: string): string | undefined {
  const names = home.split('/').slice(1, -1);
  const isPlain = home.startsWith('/') && printable(home) === home && !/\/\.{0,2}(\/|$)/.test(home);
  if (!isPlain || names.length > depthMax) return undefined;
  let path = '';
  for (const name of names) {
    const next = `${path}/${name}`;
    const stat = lstatSync(next, { throwIfNoEntry: false });
    if (stat === undefined || stat.uid !== 0) break;
    const exchangeable = (stat.mode & 0o022) !== 0 && (stat.mode & 0o1000) === 0;
    if (!stat.isSymbolicLink() && exchangeable) break;
    path = next;
  }
  return path === '' ? undefined : path;
}
