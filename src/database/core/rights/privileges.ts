/**
 * Global privileges of an account, from the number that MariaDB keeps in `mysql.global_priv` (`"access":4294967552`).
 * The order of the bits is the server's (sql/privilege.h); bits that are not named here are privileges all the same.
 */

const names = {
  SHUTDOWN: 7,
  PROCESS: 8,
  FILE: 9,
  'GRANT OPTION': 10,
  SUPER: 15,
  'CREATE USER': 25,
  EVENT: 26,
  'SET USER': 30,
  'CONNECTION ADMIN': 32,
  'READ_ONLY ADMIN': 33,
  'BINLOG ADMIN': 36,
} as const;

type Privilege = keyof typeof names;
const known = Object.keys(names) as readonly Privilege[];

/** Returns the number of a set of privileges, as the server keeps it. */
export const accessOf = (...privileges: readonly Privilege[]): bigint =>
  privileges.reduce((sum, each) => sum | (1n << BigInt(names[each])), 0n);

/**
 * Returns the names of the privileges that matter to a shared host, and `others` for the rest; undefined if the text is
 * not a number, so the privileges are not known.
 */
export function privilegesOf(access: string): readonly string[] | undefined {
  if (!/^\d{1,20}$/.test(access)) return undefined;
  const bits = BigInt(access);
  const named = known.filter((each) => (bits & accessOf(each)) !== 0n);
  const rest = bits & ~accessOf(...known);
  return rest === 0n ? named : [...named, 'others'];
}
