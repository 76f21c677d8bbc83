/** The button that opens the form for the limits of a tenant, a package, a reseller or the defaults. */
import { useState } from 'preact/hooks';
import { sessionInfo } from '../state/session.ts';
import { role } from '../state/live.ts';
import { words } from '../state/language.ts';
import { lazy } from './lazy.tsx';

interface ChangeLimitsProps {
  /** The target of the edits: `tenant alice`, `package business`, `defaults`. */
  readonly target: string;
  readonly text?: string;
}

const ChangeDialog = lazy(async () => (await import('../policy/part.ts')).ChangeDialog);

/** Nothing for those who cannot change anything: tenants, and sessions that only read. */
export function ChangeLimits({ target, text }: ChangeLimitsProps) {
  const [isOpen, setOpen] = useState(false);
  if (role.value === 'tenant' || sessionInfo.value?.readOnly !== false) return null;
  return (
    <>
      <button type="button" onClick={() => setOpen(true)}>
        {text ?? words.value.changeLimits}
      </button>
      {isOpen && <ChangeDialog target={target} onClose={() => setOpen(false)} />}
    </>
  );
}
