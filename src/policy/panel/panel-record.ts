/**
 * The facts that Bulkhead last read from the control panel, as a policy with `<panel>` uses them: for each account its
 * plan, the panel account that it belongs to, and its address.
 *
 *     {"kind":"bulkhead-panel","version":1,"source":"hestia","panel":"HestiaCP","from":"/usr/local/hestia","readAt":1764356400000,
 *      "members":[{"uid":1001,"user":"ann","plan":{"name":"gold"},"mail":"ann@example.org"}]}
 */
import { isObject, parseObject } from '../../../packages/base/json.ts';
import { fail, ok, type Result } from '../../../packages/base/result.ts';
import type { Cause } from '../../../packages/base/problem.ts';

/** Panels whose data can be read. */
export const panelSources = [
  'hestia',
  'directadmin',
  'cpanel',
  'virtualmin',
  'plesk',
  'cpapi',
] as const;
export type PanelSourceName = (typeof panelSources)[number];

/** A package of the panel. */
export interface PanelPlan {
  readonly name: string;
  /** The reseller that owns it; absent if the panel or its administrator does. */
  readonly owner?: string;
}

/** Returns a key for maps: two owners may have packages of one name. */
export const packageKey = ({
  name,
  owner = '',
}: {
  readonly name: string;
  readonly owner?: string | undefined;
}): string => JSON.stringify([name, owner]);

export interface PanelMember {
  readonly uid: number;
  readonly user: string;
  readonly plan?: PanelPlan;
  /** The panel account that it belongs to. */
  readonly owner?: string;
  /** The address for mail. */
  readonly mail?: string;
  /** Its accounts of MariaDB and MySQL servers, by name. */
  readonly databaseAccounts?: readonly string[];
  /** Its accounts of PostgreSQL servers, by name. */
  readonly postgresqlAccounts?: readonly string[];
}

export interface PanelRecord {
  readonly source: PanelSourceName;
  /** The name of the panel, for people. */
  readonly panel: string;
  /** The directory or file that was read. */
  readonly from: string;
  /** The time of the reading, in milliseconds since 1970. */
  readonly readAt: number;
  readonly members: readonly PanelMember[];
}

const kind = 'bulkhead-panel';
const version = 1;

export const formatPanelRecord = (record: PanelRecord): string =>
  `${JSON.stringify({ kind, version, ...record })}\n`;

/** Parses a record. Fails on a damaged one, and on one of another version. */
export function parsePanelRecord(text: string): Result<PanelRecord, Cause> {
  const found = parseObject(text);
  if (found?.['kind'] !== kind) return fail({ reason: 'it is damaged' });
  if (found['version'] !== version)
    return fail({ reason: 'another version of Bulkhead has written it' });
  const { source, panel, from, readAt, members } = found;
  const known = panelSources.find((each) => each === source);
  const isWhole =
    known !== undefined &&
    typeof panel === 'string' &&
    typeof from === 'string' &&
    typeof readAt === 'number' &&
    Array.isArray(members) &&
    members.every(isMember);
  return isWhole
    ? ok({ source: known, panel, from, readAt, members })
    : fail({ reason: 'it is damaged' });
}

function isMember(value: unknown): value is PanelMember {
  if (!isObject(value)) return false;
  const { uid, user, plan, owner, mail, databaseAccounts, postgresqlAccounts } = value;
  return (
    Number.isSafeInteger(uid) &&
    typeof user === 'string' &&
    (plan === undefined || isPlan(plan)) &&
    isOptionalText(owner) &&
    isOptionalText(mail) &&
    [databaseAccounts, postgresqlAccounts].every((each) => each === undefined || isTexts(each))
  );
}

const isPlan = (value: unknown): boolean =>
  isObject(value) && typeof value['name'] === 'string' && isOptionalText(value['owner']);

const isTexts = (value: unknown): boolean =>
  Array.isArray(value) && value.every((each) => typeof each === 'string');

const isOptionalText = (value: unknown): boolean =>
  value === undefined || typeof value === 'string';
