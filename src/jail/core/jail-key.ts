/**
 * The key of a jail, a tenant's or a site's. It names everything stored for the jail: its state file, its pins, its
 * files in the vault, and its /tmp.
 *
 *     1001                  a tenant's
 *     1001-shop.example     a site's
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

/** Whether a name is a key. Other names, such as a file's that is about to replace another, are not. */
export const isKey = (name: string): name is JailKey => pattern.test(name);
