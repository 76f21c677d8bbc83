/** Texts that the `web fpm` commands share. */
import { printable } from '../../../../packages/base/printable.ts';
import type { SplitService } from '../../core/fpm/service/split.ts';
import type { ServiceEntry } from '../../core/fpm/service/units.ts';

/** `alice`, or `alice/shop.example`. */
export const whoseText = ({ tenant, site }: SplitService): string =>
  printable(site === undefined ? tenant.user : `${tenant.user}/${site}`);

export function masterText(
  { asRoot }: SplitService,
  { isJailed, isSiteJailed }: ServiceEntry,
): string {
  if (asRoot !== undefined) return `root (${asRoot})`;
  if (isSiteJailed === true) return 'tenant, in the jail of the site';
  return isJailed ? 'tenant, in its jail' : 'tenant';
}
