/**
 * `/etc/passwd` and `/etc/group` of a jail: the tenant, and the few system users that programs look up.
 *
 *     root:x:0:0:root:/root:/bin/bash
 *     alice:x:1001:1001::/home/alice:/bin/bash
 */
import type { Account } from '../../policy/policy.ts';

const systemUsers = ['root', 'daemon', 'bin', 'sys', 'mail', 'www-data', 'nobody'];
const systemGroups = [...systemUsers, 'tty', 'nogroup', 'users'];

export interface AccountFiles {
  readonly passwd: string;
  readonly group: string;
}

/** The host's files, split up once for all tenants. */
export interface HostFiles {
  readonly passwd: ReadonlyMap<string, string>;
  readonly group: readonly GroupLine[];
}

interface GroupLine {
  readonly name: string;
  readonly gid: number;
  readonly members: readonly string[];
}

export function readHostFiles(passwd: string, group: string): HostFiles {
  const lines = new Map<string, string>();
  for (const line of passwd.split('\n')) {
    const [name = ''] = line.split(':');
    if (line.split(':').length === 7 && !lines.has(name)) lines.set(name, line);
  }
  return { passwd: lines, group: group.split('\n').flatMap(parseGroup) };
}

function parseGroup(line: string): readonly GroupLine[] {
  const [name = '', , gid = '', members = '', ...more] = line.split(':');
  if (name === '' || !/^\d+$/.test(gid) || more.length > 0) return [];
  const names = members.split(',').filter((each) => each !== '');
  return [{ name, gid: Number(gid), members: names }];
}

/**
 * Returns the texts of the files. `directoryGroups` are the groups, as `id` shows them, of an account that is
 * not in the host's files.
 */
export function accountFilesOf(
  account: Account | undefined,
  host: HostFiles,
  directoryGroups: readonly { readonly name: string; readonly gid: number }[] = [],
): AccountFiles {
  const users = systemUsers.flatMap((name) => host.passwd.get(name) ?? []);
  const own = account === undefined ? [] : [passwdLine(account, host)];
  const groups = host.group
    .map(({ name, gid, members }) => ({ name, gid, isMember: isMember(members, account) }))
    .filter(
      ({ name, gid, isMember }) => isMember || gid === account?.gid || systemGroups.includes(name),
    );
  const known = new Set(groups.map(({ gid }) => gid));
  const more = directoryGroups
    .filter(({ gid }) => !known.has(gid))
    .map((each) => ({ ...each, isMember: true }));
  const lines = [...groups, ...more].map(
    ({ name, gid, isMember }) => `${name}:x:${gid}:${isMember ? (account?.user ?? '') : ''}`,
  );
  return { passwd: text([...users, ...own]), group: text(lines) };
}

const isMember = (members: readonly string[], account: Account | undefined) =>
  account !== undefined && members.includes(account.user);

/** Returns a line of passwd. It never contains the password, even if the host's file does. */
function passwdLine({ user, uid, gid, home }: Account, host: HostFiles): string {
  const [, , , , gecos = '', , shell = ''] = host.passwd.get(user)?.split(':') ?? [];
  return [user, 'x', uid, gid, gecos, home, shell === '' ? '/bin/sh' : shell].join(':');
}

const text = (lines: readonly string[]) => lines.map((line) => `${line}\n`).join('');
