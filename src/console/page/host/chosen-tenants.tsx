/** The changes that can be made to all ticked tenants at once. */
import { useState } from 'preact/hooks';
import type { PolicyRight } from '../../../agent/api/policy-api.ts';
import { editsMax } from '../../../policy/changes/edits-max.ts';
import { lazy } from '../parts/lazy.tsx';
import type { LiveMember } from '../state/live.ts';
import { words } from './words.ts';

const ManyDialog = lazy(async () => (await import('../policy/part.ts')).ManyDialog);

interface ChosenTenantsProps {
  readonly chosen: readonly LiveMember[];
  /** How many of them the filter hides. */
  readonly hidden: number;
  readonly chooseNone: () => void;
}

export function ChosenTenants({ chosen, hidden, chooseNone }: ChosenTenantsProps) {
  const { tenantsPage } = words.value;
  // Tenants that come or go meanwhile are not part of what somebody has begun to change.
  const [asked, setAsked] = useState<
    { readonly what: PolicyRight; readonly uids: ReadonlySet<number> } | undefined
  >();
  const begin = (what: PolicyRight) => () =>
    setAsked({ what, uids: new Set(chosen.map(({ who }) => who.uid)) });
  const isTooMany = chosen.length > editsMax;
  return (
    <>
      {chosen.length > 0 && (
        <section class="pending chosen" aria-label={tenantsPage.actions}>
          <span role="status">
            {tenantsPage.chosen(chosen.length)}
            {hidden > 0 && ` · ${tenantsPage.hidden(hidden)}`}
            {isTooMany && ` · ${tenantsPage.tooMany(editsMax)}`}
          </span>
          <button type="button" disabled={isTooMany} onClick={begin('packages')}>
            {tenantsPage.givePackage}
          </button>
          <button type="button" disabled={isTooMany} onClick={begin('limits')}>
            {tenantsPage.setLimit}
          </button>
          <button type="button" onClick={chooseNone}>
            {tenantsPage.chooseNone}
          </button>
        </section>
      )}
      {asked !== undefined && <ManyDialog {...asked} onClose={() => setAsked(undefined)} />}
    </>
  );
}
