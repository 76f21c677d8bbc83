/** The answer of a what-if question: what would have happened, next to what did, and what is promised. */
import type {
  SimulatedHost,
  SimulatedLimit,
  SimulateResponse,
} from '../../../agent/policy/simulate-response.ts';
import { Empty } from '../parts/notes.tsx';
import { ScrollingTable } from '../parts/scrolling-table.tsx';
import { Table, type Column } from '../table/table.tsx';
import { limitWords, numbers } from '../state/language.ts';
import { whoColumn } from './who-column.tsx';
import { policyWords } from './words.ts';

export function WhatIfResult({ answer }: { readonly answer: SimulateResponse }) {
  const text = policyWords.value;
  const { from, to, measuredSeconds, limits, host, withoutHistory } = answer;
  const { dateTime, duration } = numbers.value;
  return (
    <>
      <h2>{text.result}</h2>
      <p class="quiet">
        {text.replayed(dateTime(from), dateTime(to), duration(measuredSeconds))}
        {withoutHistory > 0 && ` ${text.withoutHistory(withoutHistory)}`}
      </p>
      {host.length > 0 && <Promised host={host} />}
      <Table
        caption={text.result}
        columns={columnsOf()}
        rows={limits}
        keyOf={({ member, limit }) => `${member} ${limit}`}
        sort="least"
        empty={
          <Empty title={measuredSeconds === 0 ? text.nothingMeasured : text.nobodyNotices}>
            <p>{measuredSeconds === 0 ? text.nothingMeasuredHint : text.nobodyNoticesHint}</p>
          </Empty>
        }
      />
      {limits.some(({ effect }) => effect.endsWith('unknown')) && (
        <p class="quiet">{text.unknownHint}</p>
      )}
    </>
  );
}

function Promised({ host }: { readonly host: readonly SimulatedHost[] }) {
  const text = policyWords.value;
  const { limit: limitHeading, there, now, after: then } = text.columns;
  return (
    <ScrollingTable
      label={text.promisedTitle}
      caption={text.promisedTitle}
      headings={[limitHeading, there, now, then]}
    >
      {host.map(({ limit, available, before, after }) => (
        <tr key={limit}>
          <th scope="row">{limitWords(limit)}</th>
          <td>{amountText(limit, available)}</td>
          <td>{promisedText(limit, before)}</td>
          <td>{promisedText(limit, after)}</td>
        </tr>
      ))}
    </ScrollingTable>
  );
}

const amountText = (limit: SimulatedHost['limit'], amount: number) =>
  limit.startsWith('memory.') ? numbers.value.bytes(amount) : numbers.value.percent(amount);

function promisedText(limit: SimulatedHost['limit'], sum: SimulatedHost['before']): string {
  const text = policyWords.value;
  const times = text.times(numbers.value.number(sum.overcommit, 2));
  const unlimited =
    sum.unlimitedTenants > 0 ? `, ${text.unlimitedTenants(sum.unlimitedTenants)}` : '';
  return `${amountText(limit, sum.committed)} (${times}${unlimited})`;
}

function columnsOf(): readonly Column<SimulatedLimit>[] {
  const { columns, effects, unknown } = policyWords.value;
  const { duration, number } = numbers.value;
  const time = (seconds: number | undefined) =>
    seconds === undefined ? unknown : duration(seconds);
  return [
    whoColumn(),
    {
      key: 'values',
      title: columns.change,
      parts: 1.3,
      cell: ({ before, after }) => `${before} → ${after}`,
    },
    { key: 'effect', title: columns.effect, cell: ({ effect }) => effects[effect] },
    {
      key: 'least',
      title: columns.least,
      value: ({ secondsMin }) => secondsMin ?? -1,
      cell: ({ secondsMin }) => time(secondsMin),
    },
    { key: 'most', title: columns.most, isWide: true, cell: ({ secondsMax }) => time(secondsMax) },
    {
      key: 'stretches',
      title: columns.stretches,
      isWide: true,
      cell: ({ stretches }) => (stretches === undefined ? unknown : number(stretches)),
    },
    {
      key: 'happened',
      title: columns.happened,
      isWide: true,
      value: ({ happened }) => happened,
      cell: ({ happened }) => number(happened),
    },
  ];
}
