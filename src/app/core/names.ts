/**
 * Names of an application's units and of its socket. The instance and the uid are in them, and the name, which is unique
 * in its tenant:
 *
 *     bulkhead-app@1001:blog.service        bulkhead-app@1001:blog.socket        /run/bulkhead-app/1001/blog.sock
 *     bulkhead-app@1001:mariadb.service     bulkhead-app@1001:mariadb.socket     /run/bulkhead/databases/1001/mysqld.sock
 */
import { appNamePattern, type App } from '../../policy/apps/app.ts';
import { databaseSocketsDirectory } from '../../policy/databases/own-database.ts';

/** An application, as its units are named. */
export interface AppId {
  readonly uid: number;
  readonly name: string;
}

export type AppUnitType = 'service' | 'socket';

export const appStem = (instance: string): string => `${instance}-app`;

export const unitName = (instance: string, { uid, name }: AppId, type: AppUnitType): string =>
  `${appStem(instance)}@${uid}:${name}.${type}`;

const pattern = /^(?<uid>[1-9]\d{0,9}):(?<name>[^.]+)\.(?<type>service|socket)$/;

/** Parses the name of a unit; returns nothing if it is not one of ours. */
export function parseUnitName(
  instance: string,
  unit: string,
): (AppId & { readonly type: AppUnitType }) | undefined {
  const stem = `${appStem(instance)}@`;
  if (!unit.startsWith(stem)) return undefined;
  const { uid, name, type } = pattern.exec(unit.slice(stem.length))?.groups ?? {};
  if (uid === undefined || name === undefined || !appNamePattern.test(name)) return undefined;
  return { uid: Number(uid), name, type: type === 'socket' ? 'socket' : 'service' };
}

/** Returns a text by which two applications can be compared. */
export const appKey = ({ uid, name }: AppId): string => `${uid} ${name}`;

/** Returns the uid in such a text. */
export const uidOfKey = (key: string): number => Number.parseInt(key, 10);

export const socketsDirectory = (instance: string): string => `/run/${appStem(instance)}`;

/**
 * Returns the directories of sockets that may be empty now. Jails have the one around those of database servers mounted, and
 * would not see another one in its place.
 */
export function directoriesLeft(
  instance: string,
  uids: readonly number[],
  hasJails: boolean,
): readonly string[] {
  const [apps, databases] = [socketsDirectory(instance), databaseSocketsDirectory(instance)];
  return [
    ...[...new Set(uids)].flatMap((uid) => [`${apps}/${uid}`, `${databases}/${uid}`]),
    apps,
    ...(hasJails ? [] : [databases]),
  ];
}

/** Returns the path at which web servers connect, or to a database the programs of its tenant. */
export const socketPath = (
  instance: string,
  uid: number,
  { name, socket, isDatabase }: Pick<App, 'name' | 'socket' | 'isDatabase'>,
): string =>
  isDatabase === true
    ? `${databaseSocketsDirectory(instance)}/${uid}/mysqld.sock`
    : (socket ?? `${socketsDirectory(instance)}/${uid}/${name}.sock`);
