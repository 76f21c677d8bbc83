/** Changes of who may sign. Each makes the next version of the trust, which people of both versions sign. */
import type { Cause } from '../../../packages/base/problem.ts';
import { fail, ok, type Result } from '../../../packages/base/result.ts';
import type { NamedKey, TrustDocument } from './documents.ts';
import { blobOf, documentText, parseTrust } from './parse.ts';

export type TrustChange =
  | { readonly kind: 'add'; readonly person: NamedKey }
  /** Lets somebody, or a server, lead rollouts. */
  | { readonly kind: 'add controller'; readonly controller: NamedKey }
  | { readonly kind: 'remove'; readonly name: string }
  | { readonly kind: 'remove controller'; readonly name: string }
  | { readonly kind: 'threshold'; readonly threshold: number }
  /** Only the time until which it is good. */
  | { readonly kind: 'renew' };

/** Returns the version after `trust`; `from` has what is changed, which is a version that is not signed yet, or `trust`. */
export function changeTrust(
  trust: TrustDocument,
  from: TrustDocument,
  change: TrustChange,
  expires: string,
): Result<TrustDocument, Cause> {
  const changed = changedOf(from, change);
  if (!changed.ok) return changed;
  const { format, fleet, threshold, people, controllers } = changed.value;
  const version = trust.version + 1;
  const next = { format, fleet, version, threshold, people, controllers, expires };
  // What is written must be what hosts accept.
  return parseTrust(documentText(next));
}

function changedOf(trust: TrustDocument, change: TrustChange): Result<TrustDocument, Cause> {
  const { people, threshold, controllers } = trust;
  switch (change.kind) {
    case 'add': {
      const { person } = change;
      const reason = whyNotNew(trust, person);
      return reason === undefined ? ok({ ...trust, people: [...people, person] }) : fail(reason);
    }
    case 'add controller': {
      const { controller } = change;
      const reason = whyNotNew(trust, controller);
      if (reason !== undefined) return fail(reason);
      return ok({ ...trust, controllers: [...controllers, controller] });
    }
    case 'remove controller': {
      const left = controllers.filter(({ name }) => name !== change.name);
      return left.length === controllers.length
        ? fail({ reason: `${change.name} is not listed as a controller` })
        : ok({ ...trust, controllers: left });
    }
    case 'remove': {
      const left = people.filter(({ name }) => name !== change.name);
      if (left.length === people.length) return fail({ reason: `${change.name} is not listed` });
      if (left.length < threshold)
        return fail({
          reason: `${threshold} people must sign, and ${left.length} would be left`,
          hint: 'add somebody, or lower the threshold first',
        });
      return ok({ ...trust, people: left });
    }
    case 'threshold':
      return ok({ ...trust, threshold: change.threshold });
    case 'renew':
      return ok(trust);
  }
}

/** Returns why a key cannot be added. A key signs for one purpose, and a name is for one key. */
function whyNotNew({ people, controllers }: TrustDocument, added: NamedKey): Cause | undefined {
  const all = [...people, ...controllers];
  const same = all.find((each) => blobOf(each) === blobOf(added));
  if (same !== undefined) return { reason: `the key is the one of ${same.name}` };
  if (!all.some(({ name }) => name === added.name)) return undefined;
  return {
    reason: `${added.name} is already listed, with another key`,
    hint: 'remove the old one first, or give this key a name of its own',
  };
}
