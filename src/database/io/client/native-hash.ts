import { createHash } from 'node:crypto';

/** Returns the hash that mysql_native_password keeps of a password. Source: MariaDB Server Documentation, "PASSWORD". */
export function nativeHash(password: string): string {
  const once = createHash('sha1').update(password).digest();
  return `*${createHash('sha1').update(once).digest('hex').toUpperCase()}`;
}
