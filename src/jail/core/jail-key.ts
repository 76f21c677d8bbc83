/**
 * Whose a jail is: a tenant's, or that of one of its sites. All that is kept of it goes by one name: its mark, its pins,
 * its files in the vault, and its /tmp.
 *
 *     1001                  of a tenant
 *     1001-shop.example     of a site
 */
export interface JailId {
  readonly uid: number;
  readonly site?: string;
}

export type JailKey = `${number}` | `${number}-${string}`;

export const keyOf = ({ uid, site }: JailId): JailKey =>
  site === undefined ? `${uid}` : `${uid}-${site}`;

const pattern = /^(?<uid>[1-9]\d{0,9})(?:-(?<site>[a-z0-9._-]+))?$/;

/** Absent for every other name, such as that of a file that is about to take the place of another. */
export function idOf(key: string): JailId | undefined {
  const { uid, site } = pattern.exec(key)?.groups ?? {};
  if (uid === undefined) return undefined;
  return { uid: Number(uid), ...(site === undefined ? {} : { site }) };
}

export const isKey = (name: string): name is JailKey => pattern.test(name);
