/** Incidents: what hit whom, how badly and for how long; the worst first. */
import type { IncidentRow } from '../../../agent/api/api.ts';
import { SeverityBadge } from '../parts/badge.tsx';
import { Chips, chosenOf } from '../parts/chips.tsx';
import { CommandLine, shellWord } from '../parts/command-line.tsx';
import { Answered, Empty } from '../parts/notes.tsx';
import { Table, type Column } from '../table/table.tsx';
import { isRule, severityRanks, shownSeverity, useIncidents } from '../state/incidents.ts';
import { limitWords, numbers } from '../state/language.ts';
import { who } from '../state/live.ts';
import { href, queryOf, setQuery } from '../state/route.ts';
import { words } from './words.ts';

const periods = { day: 1, week: 7, month: 30, year: 400 } as const;
type Period = keyof typeof periods;
const periodKeys = Object.keys(periods) as readonly Period[];

/** Severities as the agent takes them: this one, and all that is worse. */
const severities = {
  all: undefined,
  ended: 'killed',
  refused: 'refused',
  slowed: 'throttled',
} as const;
const severityKeys = Object.keys(severities) as readonly (keyof typeof severities)[];

const countMax = 1000;
const dayMilliseconds = 86_400_000;
const refreshSeconds = 60;
/** The beginning of the period moves by whole minutes, so that it does not ask at each drawing. */
const stepMilliseconds = 60_000;

export function Incidents() {
  const period = chosenOf('period', periodKeys);
  const severity = severities[chosenOf('severity', severityKeys)];
  const tenant = queryOf('tenant');
  const now = Math.floor(Date.now() / stepMilliseconds) * stepMilliseconds;
  const asked = useIncidents(
    {
      from: now - periods[period] * dayMilliseconds,
      count: countMax,
      severity,
      tenant: tenant === '' ? undefined : tenant,
    },
    refreshSeconds,
  );
  const options = [
    ` --period ${periods[period]}d`,
    severity === undefined ? '' : ` --severity ${severity}`,
    tenant === '' ? '' : ` ${shellWord(tenant)}`,
  ];
  return (
    <>
      <Tools />
      <Answered asked={asked}>
        {({ incidents, total }) => (
          <>
            <p class="quiet">
              {incidents.length < total
                ? words.value.incidentsPage.onlyLatest(
                    numbers.value.number(incidents.length),
                    words.value.incidents(total),
                  )
                : words.value.incidents(total)}
            </p>
            <Table
              caption={words.value.shell.pages.incidents}
              columns={columnsOf()}
              rows={incidents}
              keyOf={({ id }) => String(id)}
              sort="severity"
              filter={`${period} ${severity} ${tenant}`}
              levelOf={shownSeverity}
              empty={
                <Empty title={words.value.incidentsPage.none}>
                  {words.value.incidentsPage.noneHint}
                </Empty>
              }
            />
          </>
        )}
      </Answered>
      <CommandLine command={`bulkhead faults${options.join('')}`} />
    </>
  );
}

function Tools() {
  const { incidentsPage } = words.value;
  const severityTexts = {
    all: incidentsPage.all,
    ended: incidentsPage.ended,
    refused: incidentsPage.refusedOrWorse,
    slowed: incidentsPage.slowedOrWorse,
  };
  const tenants = who.value?.rows.filter(({ kind }) => kind === 'tenant') ?? [];
  const tenant = queryOf('tenant');
  return (
    <div class="tools">
      <Chips
        label={incidentsPage.severity}
        name="severity"
        choices={severityKeys.map((key) => ({ key, text: severityTexts[key] }))}
      />
      <Chips
        label={incidentsPage.period}
        name="period"
        choices={periodKeys.map((key) => ({ key, text: incidentsPage.periods[key] }))}
      />
      <label>
        <span class="quiet">{incidentsPage.tenant}</span>{' '}
        <select
          value={tenant}
          onChange={(event) => setQuery({ tenant: event.currentTarget.value })}
        >
          <option value="">{incidentsPage.all}</option>
          {tenants.map(({ member, name }) => (
            <option key={member} value={name}>
              {name}
            </option>
          ))}
        </select>
      </label>
    </div>
  );
}

function columnsOf(): readonly Column<IncidentRow>[] {
  const { columns, ofAllTenants, moment, inferred } = words.value.incidentsPage;
  const { number, time, duration } = numbers.value;
  const seconds = ({ begin, end }: IncidentRow) => (end - begin) / 1000;
  return [
    {
      key: 'severity',
      title: columns.severity,
      // The latest of those that are as bad.
      value: (row) => severityRanks[shownSeverity(row)] * 1e14 + row.begin,
      cell: (row) => (
        <>
          <SeverityBadge severity={shownSeverity(row)} />
          <span class="second quiet">{row.inferred && inferred}</span>
        </>
      ),
    },
    {
      key: 'tenant',
      title: columns.tenant,
      value: ({ who }) => who.name,
      cell: ({ id, who }) => (
        <>
          <a class="name" href={href(['incidents', String(id)])}>
            {who.name}
          </a>
          <span class="second quiet">{who.kind === 'reseller' ? ofAllTenants : `#${id}`}</span>
        </>
      ),
    },
    {
      key: 'limit',
      title: columns.limit,
      value: ({ limit }) => limitWords(limit),
      cell: (row) => (
        <>
          {limitWords(row.limit)} <span class="quiet">{isRule(row) || row.value}</span>
          <span class="second quiet narrow-only">{time(row.begin, Date.now())}</span>
        </>
      ),
    },
    {
      key: 'faults',
      title: columns.faults,
      isWide: true,
      value: ({ faults }) => faults,
      cell: ({ faults }) => number(faults),
    },
    {
      key: 'begin',
      title: columns.begin,
      isWide: true,
      value: ({ begin }) => begin,
      cell: ({ begin }) => time(begin, Date.now()),
    },
    {
      key: 'duration',
      title: columns.duration,
      isWide: true,
      value: seconds,
      cell: (row) => (seconds(row) < 1 ? moment : duration(seconds(row))),
    },
  ];
}
