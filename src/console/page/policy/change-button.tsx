/** The button in this part that opens the form for the limits of a target. */
import { useState } from 'preact/hooks';
import { sessionInfo } from '../state/session.ts';
import { ChangeDialog } from './change-dialog.tsx';
import { policyWords } from './words.ts';

interface ChangeButtonProps {
  readonly target: string;
  readonly name: string;
}

/** Nothing for sessions that only read. */
export function ChangeButton({ target, name }: ChangeButtonProps) {
  const [isOpen, setOpen] = useState(false);
  if (sessionInfo.value?.readOnly !== false) return null;
  return (
    <>
      <button type="button" onClick={() => setOpen(true)}>
        {policyWords.value.changeNamed(name)}
      </button>
      {isOpen && <ChangeDialog target={target} onClose={() => setOpen(false)} />}
    </>
  );
}
