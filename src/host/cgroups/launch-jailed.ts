/**
 * The accounts that must not have a session outside a jail: `/var/lib/bulkhead/jailed`, the uid of each such tenant and
 * below it its accounts.
 *
 *     1001
 *     alice
 *
 * The PAM module uses it after a reboot until the jails have been built; pam_listfile uses it if that module is
 * missing. So the file outlives both: an account is added before its jail exists, and stays as long as the jail does.
 */
import { mkdirSync, rmSync } from 'node:fs';
import { failed, type Problem } from '../../../packages/base/problem.ts';
import { ok, type Result } from '../../../packages/base/result.ts';
import { causeOf } from '../../../packages/base/io/errno.ts';
import { readText } from '../../../packages/base/io/read.ts';
import { replaceFile } from '../../../packages/base/io/replace-file.ts';
import { parsePasswd } from '../accounts/accounts.ts';
import type { Paths } from '../paths.ts';

export const jailedFile = (state: string): string => `${state}/jailed`;

export interface JailedTenant {
  readonly uid: number;
  /** The tenant's account, which may exist only in a directory service. */
  readonly user?: string;
}

type Names = ReadonlyMap<number, readonly string[]>;

/** Returns the number of tenants in the file; undefined if there is no such file. */
export function countJailed(state: string): number | undefined {
  const text = readText(jailedFile(state));
  return text === undefined ? undefined : parseJailed(text).size;
}

/** Adds accounts; removes none. */
export function addJailed(
  paths: Pick<Paths, 'etc' | 'state'>,
  tenants: readonly JailedTenant[],
): Result<void, Problem> {
  return publish(paths.state, new Map([...listed(paths.state), ...namesOf(paths, tenants)]));
}

/** Removes all accounts but these, and accounts for which `hasJail` still holds. */
export function settleJailed(
  paths: Pick<Paths, 'etc' | 'state'>,
  tenants: readonly JailedTenant[],
  hasJail: (uid: number) => boolean,
): Result<void, Problem> {
  const others = [...listed(paths.state)].filter(([uid]) => hasJail(uid));
  return publish(paths.state, new Map([...others, ...namesOf(paths, tenants)]));
}

const listed = (state: string): Names => parseJailed(readText(jailedFile(state)) ?? '');

/** Parses the file. A line of digits is a uid, since no tenant's account has such a name. */
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

/** Whether pam_listfile would read the name whole: it ends a name at these characters. */
const isName = (name: string) => !/[\r\n\0]/.test(name) && !isNumber(name);

/** Writes the file. pam_listfile rejects files that others can write to. */
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
