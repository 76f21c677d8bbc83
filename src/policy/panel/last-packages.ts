/**
 * The packages that plans of the panel gave accounts, as policies in force had them last: `/var/lib/bulkhead/plan-packages.json`.
 *
 *     {"kind":"bulkhead-plan-packages","version":1,"accounts":[[1001,"ann","gold"]]}
 *
 * An account keeps this package while no package of the policy matches its plan: a reseller who can choose plans must
 * not lift limits that way.
 */
import { parseObject } from '../../../packages/base/json.ts';
import type { Cause } from '../../../packages/base/problem.ts';
import { fail, ok, type Result } from '../../../packages/base/result.ts';

export interface LastPackage {
  readonly uid: number;
  readonly user: string;
  /** The name of the package in the policy. */
  readonly package: string;
}

/** The packages by uid; a package counts only for the account that the entry names. */
export type LastPackages = ReadonlyMap<number, LastPackage>;

/** A hundred thousand accounts take less than 14 MiB. */
export const lastPackagesBytesMax = 64 * 2 ** 20;

const kind = 'bulkhead-plan-packages';
const version = 1;

export function formatLastPackages(all: readonly LastPackage[]): string {
  const accounts = all.map((each) => [each.uid, each.user, each.package]);
  return `${JSON.stringify({ kind, version, accounts })}\n`;
}

export function parseLastPackages(text: string): Result<LastPackages, Cause> {
  const found = parseObject(text);
  if (found?.['kind'] !== kind) return fail({ reason: 'it is damaged' });
  if (found['version'] !== version)
    return fail({ reason: 'another version of Bulkhead has written it' });
  const { accounts } = found;
  if (!Array.isArray(accounts) || !accounts.every(isEntry))
    return fail({ reason: 'it is damaged' });
  return ok(new Map(accounts.map(([uid, user, name]) => [uid, { uid, user, package: name }])));
}

type Entry = readonly [uid: number, user: string, name: string];

const isEntry = (value: unknown): value is Entry =>
  Array.isArray(value) &&
  value.length === 3 &&
  Number.isSafeInteger(value[0]) &&
  typeof value[1] === 'string' &&
  typeof value[2] === 'string';
