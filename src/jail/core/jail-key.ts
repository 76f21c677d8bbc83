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

export function idOf(key: JailKey): JailId {
  const [uid = '', ...site] = key.split('-');
  return { uid: Number(uid), ...(site.length === 0 ? {} : { site: site.join('-') }) };
}

const pattern = /^[1-9]\d{0,9}(?:-[a-z0-9._-]+)?$/;

/** Not every other name, such as that of a file that is about to take the place of another. */
export const isKey = (name: string): name is JailKey => pattern.test(name);
