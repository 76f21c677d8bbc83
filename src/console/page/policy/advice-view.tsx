/** Limits compared with use: who is held back, by what, and which value would not. */
import { useState } from 'preact/hooks';
import type { Advice, AdviseResponse } from '../../../agent/api/usage-api.ts';
import { Chips, chosenOf } from '../parts/chips.tsx';
import { CommandLine } from '../parts/command-line.tsx';
import { Answered, Empty } from '../parts/notes.tsx';
import { Table, type Column } from '../table/table.tsx';
import { useAnswer } from '../state/answer.ts';
import { numbers } from '../state/language.ts';
import { sessionInfo } from '../state/session.ts';
import { ChangeDialog } from './change-dialog.tsx';
import { whoColumn } from './who-column.tsx';
import { policyWords } from './words.ts';

const periods = ['7d', '30d', '90d'] as const;
const daySeconds = 86_400;

export function AdviceView() {
  const text = policyWords.value;
  const period = chosenOf('period', periods);
  const days = Number.parseInt(period, 10);
  // The period ends when it was chosen: a question that changes all the time would never be answered.
  const [to] = useState(Date.now());
  const asked = useAnswer<AdviseResponse>('v1/advise', {
    from: to - days * daySeconds * 1000,
    to,
  });
  return (
    <>
      <div class="tools">
        <Chips
          label={text.period}
          name="period"
          choices={periods.map((key) => ({ key, text: text.days(Number.parseInt(key, 10)) }))}
        />
      </div>
      <Answered asked={asked}>{(answer) => <AdviceTable answer={answer} />}</Answered>
      <CommandLine command={`bulkhead advise --period ${period}`} />
    </>
  );
}

type Row = Advice & { readonly id: string };

function AdviceTable({ answer }: { readonly answer: AdviseResponse }) {
  const text = policyWords.value;
  const [used, setUsed] = useState<Advice | undefined>();
  const rows: readonly Row[] = answer.tenants.map((each) => ({
    ...each,
    id: `${each.member} ${each.limit}`,
  }));
  const measured = numbers.value.duration(answer.measuredSeconds);
  return (
    <>
      <p class="quiet">{text.measured(measured)}</p>
      <Table
        caption={text.views.advice}
        columns={columnsOf(setUsed)}
        rows={rows}
        keyOf={({ id }) => id}
        sort="faults"
        empty={
          <Empty title={answer.measuredSeconds === 0 ? text.nothingMeasured : text.noAdvice}>
            <p>{answer.measuredSeconds === 0 ? text.nothingMeasuredHint : text.noAdviceHint}</p>
          </Empty>
        }
      />
      {used !== undefined && (
        <ChangeDialog
          target={targetOf(used)}
          proposed={{ [used.limit]: used.neverHit }}
          onClose={() => setUsed(undefined)}
        />
      )}
    </>
  );
}

/** Returns the target of edits; an account without a name is named by its uid. */
function targetOf({ kind, name, uid }: Advice): string {
  const account = /^uid \d+$/.test(name) ? String(uid) : name;
  return `${kind === 'reseller' ? 'reseller' : 'tenant'} ${account}`;
}

function columnsOf(use: (advice: Advice) => void): readonly Column<Row>[] {
  const { columns, useThis } = policyWords.value;
  const canUse = sessionInfo.value?.readOnly === false;
  return [
    whoColumn(),
    { key: 'now', title: columns.now, cell: ({ current }) => current },
    {
      key: 'faults',
      title: columns.faults,
      isWide: true,
      parts: 0.7,
      value: ({ faults }) => faults,
      cell: faultsCell,
    },
    { key: 'never', title: columns.neverHit, cell: ({ neverHit }) => neverHit },
    { key: 'one', title: columns.oneHit, isWide: true, cell: ({ onePercentHit }) => onePercentHit },
    {
      key: 'why',
      title: columns.why,
      isWide: true,
      parts: 2.4,
      cell: reasonCell,
    },
    {
      key: 'use',
      title: columns.use,
      parts: 1.3,
      cell: (row) =>
        canUse && row.kind !== 'site' && row.neverHit !== row.current ? (
          <button type="button" class="small" onClick={() => use(row)}>
            {useThis}
          </button>
        ) : null,
    },
  ];
}

const faultsCell = ({ faults }: Row) => numbers.value.number(faults);

const reasonCell = ({ faults, hitValue }: Row) => {
  const { hitAt, hitElsewhere } = policyWords.value;
  if (faults === 0) return '';
  return hitValue === undefined ? hitElsewhere(faults) : hitAt(faults, hitValue);
};
