/** A dialog around a form that changes the policy. */
import type { ComponentChildren } from 'preact';
import { useState } from 'preact/hooks';
import type { PolicyResponse } from '../../../agent/api/policy-api.ts';
import { Dialog } from '../parts/dialog.tsx';
import { Answered } from '../parts/notes.tsx';
import { usePolicy } from '../state/policy.ts';
import { policyWords } from './words.ts';

interface PolicyDialogProps {
  readonly title: string;
  readonly onClose: () => void;
  readonly children: (policy: PolicyResponse) => ComponentChildren;
}

export function PolicyDialog({ title, onClose, children }: PolicyDialogProps) {
  const asked = usePolicy();
  const [first, setFirst] = useState<PolicyResponse | undefined>();
  // What somebody edits stays as it was when the form opened; the plan is for the text of now.
  if (first === undefined && asked.value !== undefined) setFirst(asked.value);
  return (
    <Dialog title={title} onClose={onClose}>
      <Answered asked={first === undefined ? asked : { ...asked, value: first }}>
        {() => first !== undefined && (whyNot(first) ?? children(first))}
      </Answered>
    </Dialog>
  );
}

/** Returns why no form can change the policy; undefined if one can. */
function whyNot({ isEditable, may }: PolicyResponse) {
  const { notEditable, mayNothing } = policyWords.value;
  if (!isEditable) return <p>{notEditable}</p>;
  return may !== 'all' && may.length === 0 ? <p>{mayNothing}</p> : undefined;
}
