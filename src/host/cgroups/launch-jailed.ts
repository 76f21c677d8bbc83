/**
 * Who must not have a session outside of a jail: `/var/lib/bulkhead/jailed`, the uid of each such tenant and below it its
 * accounts.
 *
 *     1001
 *     alice
 *
 * The module of PAM goes by it until the jails have been built after a start of the machine, and pam_listfile where that
 * module is missing; so it outlives both, and an account is in it before its jail is, and as long as it has one.
 */
import { mkdirSync, rmSync } from 'node:fs';
import { failed, type Problem } from '../../base/problem.ts';
import { ok, type Result } from '../../base/result.ts';
import { causeOf } from '../../sys/errno.ts';
import { readText } from '../../sys/files/read.ts';
import { replaceFile } from '../../sys/files/replace-file.ts';
import { parsePasswd } from '../accounts/accounts.ts';
import type { Paths } from '../paths.ts';

export const jailedFile = (state: string): string => `${state}/jailed`;

export interface JailedTenant {
  readonly uid: number;
  /** Its account, which may be in a directory service alone. */
  readonly user?: string;
}

type Names = ReadonlyMap<number, readonly string[]>;

/** How many tenants are in it; absent where there is no such file. */
export function countJailed(state: string): number | undefined {
  const text = readText(jailedFile(state));
  return text === undefined ? undefined : parseJailed(text).size;
}

/** Adds them; nobody is taken out. */
export function addJailed(
  paths: Pick<Paths, 'etc' | 'state'>,
  tenants: readonly JailedTenant[],
): Result<void, Problem> {
  return publish(paths.state, new Map([...listed(paths.state), ...namesOf(paths, tenants)]));
}

/** Takes out all but these, and those for whom `hasJail` still holds. */
export function settleJailed(
  paths: Pick<Paths, 'etc' | 'state'>,
  tenants: readonly JailedTenant[],
  hasJail: (uid: number) => boolean,
): Result<void, Problem> {
  const others = [...listed(paths.state)].filter(([uid]) => hasJail(uid));
  return publish(paths.state, new Map([...others, ...namesOf(paths, tenants)]));
}

const listed = (state: string): Names => parseJailed(readText(jailedFile(state)) ?? '');

/** A line of digits is a uid, since no account of a tenant has such a name. */
function parseJailed(text: string): Names {
  const found = new Map<number, string[]>();
  let names: string[] = [];
  for (const line of text.split('\n')) {
    if (isNumber(line)) found.set(Number(line), (names = []));
    else if (line !== '') names.push(line);
  }
  return found;
}

function namesOf({ etc }: Pick<Paths, 'etc'>, tenants: readonly JailedTenant[]): Names {
  if (tenants.length === 0) return new Map();
  const local = Map.groupBy(parsePasswd(readText(`${etc}/passwd`) ?? ''), ({ uid }) => uid);
  return new Map(
    tenants.map(({ uid, user }) => {
      const names = (local.get(uid) ?? []).map((each) => each.user);
      return [uid, [...new Set(user === undefined ? names : [...names, user])].filter(isName)];
    }),
  );
}

const isNumber = (line: string) => /^\d+$/.test(line);

/** Where pam_listfile ends a name. */
const isName = (name: string) => !/[\r\n\0]/.test(name) && !isNumber(name);

/** pam_listfile takes no file that others can write to. */
function publish(state: string, names: Names): Result<void, Problem> {
  const path = jailedFile(state);
  const lines = [...names].sort(([a], [b]) => a - b).flatMap(([uid, each]) => [uid, ...each]);
  const text = lines.map((line) => `${line}\n`).join('');
  if ((readText(path) ?? '') === text) return ok(undefined);
  try {
    if (text === '') {
      rmSync(path, { force: true });
      return ok(undefined);
    }
    mkdirSync(state, { recursive: true, mode: 0o755 });
  } catch (error) {
    return failed({ action: 'write', object: path, ...causeOf(error) });
  }
  return replaceFile(path, text, 0o600);
}
