/** Warns about packages that are for somebody who is not a reseller of the policy. */
import { printable } from '../../../packages/base/printable.ts';
import type { PolicyDocument } from '../document.ts';
import type { Policy } from '../policy.ts';

export function warnAboutRights({ packages, diagnostics }: PolicyDocument, policy: Policy): void {
  const known = policy.resellers.flatMap(({ uid, account }) => [`${uid}`, account?.user]);
  for (const name of packages.flatMap((each) => each.for ?? [])) {
    if (known.includes(name.value)) continue;
    diagnostics.warn(name, `"${printable(name.value)}" is not a reseller of this policy`);
  }
}
