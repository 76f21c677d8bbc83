/**
 * Accounts of the host.
 *
 *     alice:x:1001:1001:Alice:/home/alice:/bin/bash        /etc/passwd, passwd(5)
 *     UID_MIN    1000                                      /etc/login.defs, login.defs(5)
 *
 * Accounts of a directory service are not in the file; those that a policy names are looked up by
 * name, since not every service supports enumeration.
 */
import { execFileSync } from 'node:child_process';
import type { UidRange } from '../../policy/document.ts';
import type { Account, HostFacts } from '../../policy/policy.ts';
import type { Paths } from '../paths.ts';
import { readText } from '../../../packages/base/io/read.ts';

/** The defaults of `useradd` if the file does not set them. */
const defaultUids: UidRange = { first: 1000, last: 60_000 };

export function parsePasswd(text: string): readonly Account[] {
  return text.split('\n').flatMap((line): Account[] => {
    const [user = '', , uid = '', gid = '', , home = ''] = line.split(':');
    if (user === '' || !/^\d+$/.test(uid) || !/^\d+$/.test(gid)) return [];
    return [{ user, uid: Number(uid), gid: Number(gid), home }];
  });
}

export function parseUidRange(loginDefs: string): UidRange {
  const value = (name: string, defaultValue: number) =>
    Number(new RegExp(`^\\s*${name}\\s+(\\d{1,10})`, 'm').exec(loginDefs)?.[1] ?? defaultValue);
  return { first: value('UID_MIN', defaultUids.first), last: value('UID_MAX', defaultUids.last) };
}

/** Returns the uids of people: `UID_MIN` to `UID_MAX`. */
export function readUidRange(paths: Paths): UidRange {
  return parseUidRange(readText(`${paths.etc}/login.defs`) ?? '');
}

/** Parses `MemTotal:  16315404 kB`. Source: proc_meminfo(5). */
export function parseMemoryBytes(meminfo: string): number | undefined {
  const [, kibibytes] = /^MemTotal:\s+(\d+) kB$/m.exec(meminfo) ?? [];
  return kibibytes === undefined ? undefined : Number(kibibytes) * 1024;
}

/** Returns host facts for a policy that names these users. */
export function readHostFacts(paths: Paths, named: readonly string[]): HostFacts {
  const accounts = parsePasswd(readText(`${paths.etc}/passwd`) ?? '');
  const known = new Set(accounts.map((account) => account.user));
  const unknown = named.filter((user) => !known.has(user));
  const memoryBytes = parseMemoryBytes(readText(`${paths.proc}/meminfo`) ?? '');
  return {
    accounts: unknown.length === 0 ? accounts : [...accounts, ...askDirectory(unknown)],
    uidMin: readUidRange(paths).first,
    ...(memoryBytes !== undefined && { memoryBytes }),
  };
}

/**
 * Looks up as many names or uids at once as fit on a command line; while a directory service is down, its accounts are
 * unknown. A service that does not answer is not asked again.
 */
export function askDirectory(users: readonly string[]): readonly Account[] {
  const found: Account[] = [];
  for (let at = 0; at < users.length; at += 500) {
    const { accounts, isSilent } = getent(users.slice(at, at + 500));
    found.push(...accounts);
    if (isSilent) break;
  }
  return found;
}

interface DirectoryAnswer {
  readonly accounts: readonly Account[];
  /** Whether it did not end in time. */
  readonly isSilent: boolean;
}

function getent(users: readonly string[]): DirectoryAnswer {
  try {
    // Status 2 means that one of the names is unknown; the others are printed anyway.
    const text = execFileSync('getent', ['passwd', '--', ...users], {
      encoding: 'utf8',
      timeout: 10_000,
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    return { accounts: parsePasswd(text), isSilent: false };
  } catch (error) {
    const { stdout = '', code } = error as { readonly stdout?: string; readonly code?: string };
    return { accounts: parsePasswd(stdout), isSilent: code === 'ETIMEDOUT' };
  }
}
