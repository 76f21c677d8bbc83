/** Policy: one file in four views, and what changed in it. The view is in the address. */
import type { PolicyResponse } from '../../../agent/api/policy-api.ts';
import { Chips, chosenOf } from '../parts/chips.tsx';
import { CommandLine } from '../parts/command-line.tsx';
import { English } from '../parts/english.tsx';
import { Answered } from '../parts/notes.tsx';
import { role } from '../state/live.ts';
import { href } from '../state/route.ts';
import { usePolicy } from '../state/policy.ts';
import { AdviceView } from './advice-view.tsx';
import { ChangesView } from './changes-view.tsx';
import { FormsView } from './forms-view.tsx';
import { TextView } from './text-view.tsx';
import { policyWords } from './words.ts';

const views = ['forms', 'text', 'advice', 'changes'] as const;
type View = (typeof views)[number];
const viewsOfResellers: readonly View[] = ['forms', 'changes'];

export function Policy() {
  const asked = usePolicy();
  const text = policyWords.value;
  const isRoot = role.value === 'root';
  const offered = isRoot ? views : viewsOfResellers;
  const view = chosenOf('view', offered);
  return (
    <>
      <div class="tools">
        <Chips
          label={text.view}
          name="view"
          choices={offered.map((key) => ({ key, text: text.views[key] }))}
        />
        {isRoot && <a href={href(['policy', 'what-if'])}>{text.toWhatIf}</a>}
      </div>
      {view === 'advice' ? (
        <AdviceView />
      ) : (
        <Answered asked={asked}>
          {(policy) => <ChosenView view={view} policy={policy} reload={asked.again} />}
        </Answered>
      )}
    </>
  );
}

interface ChosenViewProps {
  /** Advice needs no policy, and does not wait for it. */
  readonly view: Exclude<View, 'advice'>;
  readonly policy: PolicyResponse;
  readonly reload: () => void;
}

function ChosenView({ view, policy, reload }: ChosenViewProps) {
  const text = policyWords.value;
  switch (view) {
    case 'forms':
      return (
        <>
          <Problems policy={policy} />
          {policy.isEditable ? (
            <FormsView policy={policy} />
          ) : (
            <p class="note">{text.notEditable}</p>
          )}
          <CommandLine command="bulkhead show" />
        </>
      );
    case 'text':
      return <TextView policy={policy} reload={reload} />;
    case 'changes':
      return <ChangesView etag={policy.etag} />;
  }
}

const shownMax = 5;

function Problems({ policy: { diagnostics, file } }: { readonly policy: PolicyResponse }) {
  const text = policyWords.value;
  const wrong = diagnostics.filter(({ severity }) => severity !== 'note');
  return (
    <>
      {file !== undefined && (
        <p class="quiet">
          <code>{file}</code>
        </p>
      )}
      {wrong.length > 0 && (
        <div class="warning">
          <ul>
            {wrong.slice(0, shownMax).map(({ file: where, line, severity, message }, at) => (
              <li key={at}>
                <b>
                  {text.severities[severity]},{' '}
                  {where === file ? text.line(line) : `${where}:${line}`}
                </b>{' '}
                <English>{message}</English>
              </li>
            ))}
          </ul>
          {wrong.length > shownMax && (
            <a href={href(['policy'], { view: 'text' })}>{text.andMore(wrong.length - shownMax)}</a>
          )}
        </div>
      )}
    </>
  );
}
