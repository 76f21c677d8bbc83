/**
 * Groups of accounts that are in no file of the host, such as a directory service's, which cannot be asked inside a
 * jail. All accounts are looked up at once.
 *
 *     alice                 27 5000            getent initgroups
 *     staff:*:5000:alice                       getent group
 */
import { spawnSync } from 'node:child_process';

interface Group {
  readonly name: string;
  readonly gid: number;
}

const namesMax = 500;
const milliseconds = 30_000;

/** Returns groups by account. Accounts whose service does not answer have none. */
export function directoryGroups(users: readonly string[]): ReadonlyMap<string, readonly Group[]> {
  const gids = new Map<string, readonly number[]>();
  for (const line of getent('initgroups', users)) {
    const [user = '', ...ids] = line.trim().split(/\s+/);
    gids.set(user, ids.map(Number).filter(Number.isSafeInteger));
  }
  const known = new Map<number, string>();
  for (const line of getent('group', [...new Set([...gids.values()].flat())].map(String))) {
    const [name = '', , gid = ''] = line.split(':');
    if (/^[\w.@-]+$/.test(name)) known.set(Number(gid), name);
  }
  const named = (gid: number) => {
    const name = known.get(gid);
    return name === undefined ? [] : [{ name, gid }];
  };
  return new Map([...gids].map(([user, ids]) => [user, ids.flatMap(named)]));
}

function getent(database: string, keys: readonly string[]): readonly string[] {
  const lines: string[] = [];
  for (let at = 0; at < keys.length; at += namesMax) {
    const { stdout } = spawnSync(
      '/usr/bin/getent',
      [database, '--', ...keys.slice(at, at + namesMax)],
      { encoding: 'utf8', timeout: milliseconds, stdio: ['ignore', 'pipe', 'ignore'] },
    );
    lines.push(...stdout.split('\n').filter((line) => line !== ''));
  }
  return lines;
}
