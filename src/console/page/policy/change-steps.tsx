/** The steps of a change after its form: the plan, and the result. The form keeps what was typed meanwhile. */
import type { ComponentChildren } from 'preact';
import { Loading } from '../parts/notes.tsx';
import type { Change } from './change.ts';
import { Done, PlanView } from './plan/plan-view.tsx';

interface ChangeStepsProps {
  readonly change: Change;
  readonly confirmWord: string;
  readonly onClose: () => void;
  /** The form; without one, there is only the plan. */
  readonly children?: ComponentChildren;
}

export function ChangeSteps({ change, confirmWord, onClose, children }: ChangeStepsProps) {
  const { step } = change;
  return (
    <>
      <div hidden={step.kind !== 'edit'}>{children}</div>
      {step.kind === 'planning' && <Loading />}
      {step.kind === 'plan' && (
        <PlanView
          step={step}
          change={change}
          confirmWord={confirmWord}
          isBackPossible={children !== undefined && step.request.undo === undefined}
        />
      )}
      {step.kind === 'done' && (
        <Done
          step={step}
          onClose={onClose}
          onUndo={(undo) => void change.plan({ undo }, step.written.etag)}
        />
      )}
    </>
  );
}
