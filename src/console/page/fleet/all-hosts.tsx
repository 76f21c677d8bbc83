/** All hosts of a fleet, as its centre on this host knows them. A count that nobody knows is a question mark. */
import { printable } from '../../../../packages/base/printable.ts';
import type { FleetHostRow, FleetHostsResponse } from '../../../agent/api/fleet-hosts-api.ts';
import { chosenOf } from '../parts/chips.tsx';
import { CommandLine } from '../parts/command-line.tsx';
import { Empty } from '../parts/notes.tsx';
import { SearchChips } from '../parts/search-chips.tsx';
import { numbers } from '../state/language.ts';
import { queryOf } from '../state/route.ts';
import { Table, type Column } from '../table/table.tsx';
import { Rollout } from './rollout.tsx';
import { Sentences } from './sentences.tsx';
import { needsSomebody, StateBadge, stateOrder } from './state-badge.tsx';
import { fleetWords, stateWords } from './words.ts';

const filters = ['all', 'attention', 'silent', 'held', 'behind'] as const;
type Filter = (typeof filters)[number];

const needsAttention = ({ state, why, lost }: FleetHostRow) =>
  needsSomebody(state) || (why !== null && state !== 'held') || lost > 0;

const passes: Readonly<Record<Filter, (host: FleetHostRow) => boolean>> = {
  all: () => true,
  attention: needsAttention,
  silent: ({ state }) => state === 'silent' || state === 'unknown',
  held: ({ state }) => state === 'held',
  behind: ({ behind }) => behind === null || behind > 0,
};

export function AllHosts({ all }: { readonly all: FleetHostsResponse }) {
  const text = fleetWords.value;
  return (
    <>
      {all.rollout !== undefined && <Rollout rollout={all.rollout} />}
      <section class="panel">
        <h2>{text.allHosts}</h2>
        <Summary all={all} />
        <Sentences sentences={all.problems} isWarning />
      </section>
      <Hosts hosts={all.hosts} />
      <CommandLine command="bulkhead fleet server hosts" />
    </>
  );
}

function Summary({ all }: { readonly all: FleetHostsResponse }) {
  const text = fleetWords.value;
  const { fleet, at, isCurrent, count, hosts } = all;
  if (fleet === undefined || at === undefined) return null;
  const time = numbers.value.dateTime(at);
  return (
    <>
      {isCurrent !== true && (
        <div class="warning" role="status">
          <p>{text.stopped(time)}</p>
          <CommandLine command="systemctl status bulkhead-fleet-server" label={text.stoppedHint} />
        </div>
      )}
      <p>
        <b>{text.hostsOf(count, printable(fleet))}</b>{' '}
        {count > 0 && <>{numbers.value.list(countsOf(hosts))}. </>}
        {count > 0 && <>{eventsText(hosts)}. </>}
        {count > hosts.length && <>{text.leftOut(count - hosts.length)} </>}
        {isCurrent === true && <span class="quiet">{text.asOf(time)}</span>}
      </p>
    </>
  );
}

function countsOf(hosts: readonly FleetHostRow[]): readonly string[] {
  const byState = Map.groupBy(hosts, ({ state }) => state);
  return [...byState]
    .sort(([a], [b]) => orderOf(a) - orderOf(b))
    .map(([state, { length }]) => fleetWords.value.counted(length, stateWords(state)));
}

const orderOf = (state: string): number => (stateOrder as readonly string[]).indexOf(state);

function eventsText(hosts: readonly FleetHostRow[]): string {
  const text = fleetWords.value;
  const behind = hosts.reduce((sum, each) => sum + (each.behind ?? 0), 0);
  const unknown = hosts.filter((each) => each.behind === null).length;
  return [
    ...(behind > 0 ? [text.notReceived(behind)] : []),
    ...(behind === 0 && unknown === 0 ? [text.allReceived] : []),
    ...(unknown > 0 ? [text.unknownReceived(unknown)] : []),
  ].join('; ');
}

function Hosts({ hosts }: { readonly hosts: readonly FleetHostRow[] }) {
  const text = fleetWords.value;
  const filter = chosenOf('filter', filters);
  const search = queryOf('search').toLowerCase();
  if (hosts.length === 0) return <Empty title={text.nobodyYet} />;
  const found = hosts.filter((each) => isFound(each, search));
  const choices = filters.map((key) => ({
    key,
    text: text.filters[key],
    count: found.filter(passes[key]).length,
  }));
  return (
    <>
      <SearchChips search={text.search} label={text.filter} name="filter" choices={choices} />
      <Table
        caption={text.allHosts}
        columns={columnsOf()}
        rows={found.filter(passes[filter])}
        keyOf={({ host }) => host}
        sort="state"
        filter={`${filter} ${search}`}
        levelOf={(each) => (needsAttention(each) ? 'limit' : undefined)}
        empty={<Empty title={text.noHosts} />}
      />
    </>
  );
}

const isFound = ({ host, state, why }: FleetHostRow, search: string) =>
  [host, state, stateWords(state), why ?? ''].some((each) => each.toLowerCase().includes(search));

function columnsOf(): readonly Column<FleetHostRow>[] {
  const text = fleetWords.value;
  const { columns } = text;
  return [
    {
      key: 'host',
      title: columns.host,
      parts: 1.5,
      value: ({ host }) => host,
      cell: (each) => (
        <>
          <span class="name">{each.host}</span>
          <span class="second quiet">{heardText(each)}</span>
        </>
      ),
    },
    {
      key: 'state',
      title: columns.state,
      parts: 1.3,
      // The worst first: a state that is not known here before all others.
      value: ({ state }) => String(orderOf(state) + 1),
      cell: ({ state }) => (
        <span class="second">
          <StateBadge state={state} />
        </span>
      ),
    },
    { ...numberColumn('generation', columns.generation), isWide: true },
    { ...numberColumn('tenants', columns.tenants), isWide: true },
    { ...numberColumn('faults24h', columns.faults24h), isExtra: true },
    { ...numberColumn('outside', columns.outside), isExtra: true },
    { ...numberColumn('behind', columns.behind), isExtra: true },
    { ...numberColumn('room', columns.space), isExtra: true },
    {
      key: 'why',
      title: columns.why,
      parts: 2,
      isWide: true,
      value: ({ why }) => why ?? '',
      cell: (each) => <Why host={each} />,
    },
  ];
}

type NumberKey = 'generation' | 'tenants' | 'faults24h' | 'outside' | 'behind' | 'room';

/** Returns a column of counts; those that nobody knows come last. */
const numberColumn = (key: NumberKey, title: string): Column<FleetHostRow> => ({
  key,
  title,
  value: (host) => host[key] ?? -1,
  cell: (host) => <Count value={host[key]} isShare={key === 'room'} />,
});

interface CountProps {
  readonly value: number | null;
  readonly isShare: boolean;
}

const Count = ({ value, isShare }: CountProps) =>
  value === null ? (
    <span role="img" aria-label={fleetWords.value.unknown}>
      ?
    </span>
  ) : (
    <>{isShare ? numbers.value.percent(value) : numbers.value.number(value)}</>
  );

/** Returns the time of the last status, where that matters. */
function heardText({ state, heard }: FleetHostRow): string {
  const text = fleetWords.value;
  if (heard === null) return text.neverHeard;
  return state === 'silent' ? text.lastHeard(numbers.value.ago(Date.parse(heard), Date.now())) : '';
}

function Why({ host: { why, lost } }: { readonly host: FleetHostRow }) {
  return (
    <>
      {why !== null && (
        <span class="second" lang="en" translate={false} title={printable(why)}>
          {printable(why)}
        </span>
      )}
      {lost > 0 && <span class="second at-limit">{fleetWords.value.lost(lost)}</span>}
    </>
  );
}
