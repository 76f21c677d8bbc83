/**
 * The answers of CPAPI's scripts, checked field by field. A wrong row is a problem of its script, and the others stay.
 *
 *     {"data": [{"id": 1000, "username": "ann", "owner": "root", "domain": "a.example",
 *                "package": {"name": "gold", "owner": "root"}, "email": null}], "metadata": {"result": "ok"}}
 */
import type { Cause, Problem } from '../../../packages/base/problem.ts';
import { count } from '../../../packages/base/list.ts';
import { fail, ok, type Result } from '../../../packages/base/result.ts';
import type { PackageName, PanelPackage, PanelReseller, StatedAccount } from './panel-data.ts';

type Row = Readonly<Record<string, unknown>>;

const isRow = (value: unknown): value is Row =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const textMax = 1024;
/** The number of wrong rows of a script that are named; further ones are counted. */
const wrongShown = 1000;

/** Returns `data` of an answer. The JSON decides, whatever the exit status was. */
export function parseEnvelope(text: string): Result<unknown, Cause> {
  let read: unknown;
  try {
    read = JSON.parse(text);
  } catch {
    const start = text.trimStart().slice(0, 60);
    const reason = start === '' ? 'it printed nothing' : `it did not print JSON: "${start}"`;
    return fail({ reason });
  }
  const metadata = isRow(read) ? read['metadata'] : undefined;
  if (!isRow(read) || !isRow(metadata)) return fail({ reason: 'its JSON has no "metadata"' });
  const { result, message } = metadata;
  if (result === 'ok') return ok(read['data']);
  const said = typeof message === 'string' ? `: ${message.slice(0, textMax)}` : '';
  return fail({ reason: `it answered ${JSON.stringify(result)}${said}` });
}

/** The rows of one script, and what was wrong with others. */
export interface Rows<T> {
  readonly rows: readonly T[];
  readonly problems: readonly Problem[];
}

/** Reads a list with a reader of its rows, which fails with the name of the field that is wrong. */
function readRows<T>(data: unknown, from: string, read: (row: Row) => Result<T, string>): Rows<T> {
  if (!Array.isArray(data))
    return { rows: [], problems: [problemOf(from, 'its data is not a list')] };
  const problems: Problem[] = [];
  let wrong = 0;
  const rows = data.flatMap((value: unknown, index): readonly T[] => {
    const row = isRow(value) ? read(value) : fail('row');
    if (row.ok) return [row.value];
    if (++wrong <= wrongShown)
      problems.push(problemOf(from, `row ${index + 1} has no usable "${row.error}"`));
    return [];
  });
  const more = wrong - wrongShown;
  const rest = more > 0 ? [problemOf(from, `${count(more, 'more row')} cannot be used`)] : [];
  return { rows, problems: [...problems, ...rest] };
}

const problemOf = (from: string, reason: string): Problem => ({
  action: 'use all of what was printed by',
  object: from,
  reason,
  hint: 'that part is left out',
});

/** Returns a text that is not empty. */
const textOf = (row: Row, field: string): string | undefined => {
  const value = row[field];
  return typeof value === 'string' && value !== '' && value.length <= textMax ? value : undefined;
};

/** Returns a uid; some scripts print it as text. */
function idOf(row: Row): number | undefined {
  const { id } = row;
  const number = typeof id === 'string' && /^\d{1,10}$/.test(id) ? Number(id) : id;
  return typeof number === 'number' && Number.isInteger(number) && number >= 0 ? number : undefined;
}

function packageOf(row: Row): PackageName | undefined {
  const value = row['package'];
  const name = isRow(value) ? textOf(value, 'name') : undefined;
  const owner = isRow(value) ? textOf(value, 'owner') : undefined;
  if (name === undefined) return undefined;
  return owner === undefined ? { name } : { name, owner };
}

/** Whether the field has a value that is not understood; null and a missing field mean that there is none. */
const isBroken = (row: Row, field: string, value: unknown) =>
  row[field] !== undefined && row[field] !== null && row[field] !== '' && value === undefined;

export function readUsers(data: unknown, from: string): Rows<StatedAccount> {
  return readRows(data, from, (row) => {
    const user = textOf(row, 'username');
    const uid = idOf(row);
    if (user === undefined) return fail('username');
    if (uid === undefined) return fail('id');
    const found = packageOf(row);
    const [owner, mail, domain] = ['owner', 'email', 'domain'].map((each) => textOf(row, each));
    if (isBroken(row, 'package', found)) return fail('package');
    if (isBroken(row, 'email', mail)) return fail('email');
    return ok({
      user,
      uid,
      from,
      role: 'user' as const,
      domains: domain === undefined ? [] : [{ name: domain, from }],
      limits: new Map(),
      ...(found === undefined ? {} : { package: found }),
      ...(owner === undefined ? {} : { owner }),
      ...(mail === undefined ? {} : { mail }),
    });
  });
}

export function readPackageNames(data: unknown, from: string): Rows<PanelPackage> {
  return readRows(data, from, (row) => {
    const name = textOf(row, 'name');
    const owner = textOf(row, 'owner');
    if (name === undefined) return fail('name');
    const rest = { from, limits: new Map(), ownLimits: new Map() };
    return ok(owner === undefined ? { name, ...rest } : { name, owner, ...rest });
  });
}

export function readResellers(data: unknown, from: string): Rows<PanelReseller> {
  return readRows(data, from, (row) => {
    const name = textOf(row, 'name');
    const mail = textOf(row, 'email');
    if (name === undefined) return fail('name');
    return ok(mail === undefined ? { name, from } : { name, from, mail });
  });
}

/** Returns the names of administrators, and of their unix accounts. */
export function readAdministrators(data: unknown, from: string): Rows<readonly string[]> {
  return readRows(data, from, (row) => {
    const name = textOf(row, 'name');
    const account = textOf(row, 'unix_user');
    if (name === undefined) return fail('name');
    return ok(account === undefined ? [name] : [name, account]);
  });
}

/** A domain, and the unix account that has it. */
export interface OwnedDomain {
  readonly name: string;
  readonly user: string;
}

/** Reads domains by name. Some panels print an empty list in place of an empty object. */
export function readDomains(data: unknown, from: string): Rows<OwnedDomain> {
  if (Array.isArray(data) && data.length === 0) return { rows: [], problems: [] };
  if (!isRow(data)) return { rows: [], problems: [problemOf(from, 'its data is not an object')] };
  const all = Object.entries(data).map(([name, value]) => ({ name, value }));
  return readRows(all, from, ({ name, value }) => {
    const user = isRow(value) ? textOf(value, 'owner') : undefined;
    if (typeof name !== 'string' || name === '') return fail('name');
    return user === undefined ? fail(`owner of ${name}`) : ok({ name, user });
  });
}

export function readPanelName(data: unknown): string | undefined {
  return isRow(data) ? textOf(data, 'name') : undefined;
}
