/** Tenants: use beside each limit, live. */
import { useState } from 'preact/hooks';
import { chosenOf } from '../parts/chips.tsx';
import { CommandLine } from '../parts/command-line.tsx';
import { Course } from '../parts/course.tsx';
import { isFoundBy } from '../shell/find-matches.ts';
import { Meter } from '../parts/meter.tsx';
import { Empty } from '../parts/notes.tsx';
import { SearchChips } from '../parts/search-chips.tsx';
import { Table, type Column } from '../table/table.tsx';
import { limitWords, numbers } from '../state/language.ts';
import { members, type LiveMember } from '../state/live.ts';
import { measure, measured, metricText, type MeasureKey } from '../state/measures.ts';
import type { PartKey } from '../../../usage/part-keys.ts';
import { href, queryOf, replaceRoute, setQuery } from '../state/route.ts';
import { sessionInfo } from '../state/session.ts';
import { frame } from '../state/stream.ts';
import { ChosenTenants } from './chosen-tenants.tsx';
import { download, tenantsCsv } from './csv.ts';
import { words } from './words.ts';

const filters = ['all', 'limit', 'near', 'active'] as const;
type Filter = (typeof filters)[number];

const passes: Readonly<Record<Filter, (member: LiveMember) => boolean>> = {
  all: () => true,
  limit: ({ limitsHit }) => limitsHit.length > 0,
  near: ({ limitsNear }) => limitsNear.length > 0,
  active: ({ usage }) => usage('cpu') > 0,
};

export function Tenants() {
  const { tenantsPage, columns } = { ...words.value, columns: columnsOf() };
  const tenants = members.value.filter(({ who }) => who.kind === 'tenant');
  const search = queryOf('search');
  const filter = chosenOf('filter', filters);
  const found = search === '' ? tenants : tenants.filter((each) => isFoundBy(each, search));
  const shown = found.filter(passes[filter]);
  const isGrouped = queryOf('group') === 'reseller';
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  if (tenants.length === 0) return <NoTenants />;
  const isChosen = ({ who }: LiveMember) => chosen.has(who.member);
  const here = tenants.filter(isChosen);
  const names = new Map<string, string>(tenants.map(({ who }) => [who.member, who.name]));
  return (
    <>
      <Tools found={found} shown={shown} />
      <Table
        caption={words.value.shell.pages.tenants}
        columns={columns}
        rows={shown}
        keyOf={({ who }) => who.member}
        sort="cpu"
        filter={`${filter} ${search}`}
        groupOf={isGrouped ? ({ who }) => who.reseller ?? tenantsPage.noReseller : undefined}
        levelOf={({ limitsHit }) => (limitsHit.length > 0 ? 'limit' : undefined)}
        choice={
          sessionInfo.value?.readOnly === false
            ? {
                chosen,
                setChosen,
                labelOf: (key) => tenantsPage.choose(names.get(key) ?? key),
                allLabel: tenantsPage.chooseAll,
              }
            : undefined
        }
        empty={<NoneShown />}
      />
      <ChosenTenants
        chosen={here}
        hidden={here.length - shown.filter(isChosen).length}
        chooseNone={() => setChosen(new Set())}
      />
      <CommandLine command="bulkhead top" />
    </>
  );
}

interface ToolsProps {
  /** The tenants that the search finds. */
  readonly found: readonly LiveMember[];
  /** The tenants that also pass the filter. */
  readonly shown: readonly LiveMember[];
}

function Tools({ found, shown }: ToolsProps) {
  const { tenantsPage } = words.value;
  const texts: Readonly<Record<Filter, string>> = {
    all: tenantsPage.all,
    limit: tenantsPage.atLimit,
    near: tenantsPage.near,
    active: tenantsPage.active,
  };
  const choices = filters.map((key) => ({
    key,
    text: texts[key],
    count: found.filter(passes[key]).length,
  }));
  const hasResellers = members.value.some(({ who }) => who.reseller !== undefined);
  return (
    <SearchChips
      search={tenantsPage.search}
      label={tenantsPage.filter}
      name="filter"
      choices={choices}
    >
      {hasResellers && (
        <label>
          <span class="quiet">{tenantsPage.group}</span>{' '}
          <select
            value={queryOf('group')}
            onChange={(event) => setQuery({ group: event.currentTarget.value })}
          >
            <option value="">{tenantsPage.ungrouped}</option>
            <option value="reseller">{tenantsPage.byReseller}</option>
          </select>
        </label>
      )}
      <button
        type="button"
        onClick={() => download(fileName(), tenantsCsv(shown, frame.value !== undefined))}
      >
        {tenantsPage.download}
      </button>
    </SearchChips>
  );
}

const fileName = () =>
  `${sessionInfo.value?.host ?? location.hostname}-tenants-${new Date().toISOString().slice(0, 10)}.csv`;

function NoTenants() {
  const { empty, emptyHint } = words.value.tenantsPage;
  return (
    <Empty title={empty}>
      <p>{emptyHint}</p>
      <CommandLine command="bulkhead set alice cpu=100% memory=1GiB" />
    </Empty>
  );
}

function NoneShown() {
  const { none, noneHint, showAll } = words.value.tenantsPage;
  return (
    <Empty title={none}>
      <p>{noneHint}</p>
      <button type="button" onClick={() => replaceRoute(href(['tenants']))}>
        {showAll}
      </button>
    </Empty>
  );
}

/** Whether anything of a measure is known. */
const hasAny = (key: MeasureKey) =>
  measured[key].some((metric) => frame.value?.parts?.[metric as PartKey] !== undefined);

function columnsOf(): readonly Column<LiveMember>[] {
  const { columns } = words.value.tenantsPage;
  return [
    {
      key: 'tenant',
      title: columns.tenant,
      parts: 1.4,
      value: ({ who }) => who.name,
      cell: (member) => <Name member={member} />,
    },
    measureColumn('cpu', columns.cpu),
    measureColumn('memory', columns.memory),
    { ...measureColumn('disk', columns.disk), isWide: true },
    { ...measureColumn('processes', columns.processes), isWide: true },
    ...(['databases', 'network'] as const)
      .filter((key) => hasAny(key))
      .map((key) => ({ ...measureColumn(key, columns[key]), isExtra: true })),
    {
      key: 'course',
      title: columns.course,
      isExtra: true,
      parts: 0.85,
      cell: ({ course, who }) => <Course values={course} top={who.limits['cpu.limit']} />,
    },
    {
      key: 'limits',
      title: columns.limits,
      isExtra: true,
      parts: 1.25,
      value: ({ limitsHit, faults }) => limitsHit.length * 1e9 + faults,
      cell: (member) => <LimitsHit member={member} />,
    },
  ];
}

/** Returns the column of a measure. It sorts by the share of the limit: who is near it is what counts. */
const measureColumn = (key: MeasureKey, title: string): Column<LiveMember> => ({
  key,
  title,
  value: (member) => {
    const { share, used } = measure(member, key);
    // Those without a limit come after all with one, in their own order.
    return share ?? (Number.isNaN(used) ? -2 : -1 / (1 + used));
  },
  cell: (member) => <MeasureCell member={member} measureKey={key} />,
});

interface MeasureCellProps {
  readonly member: LiveMember;
  readonly measureKey: MeasureKey;
}

function MeasureCell({ member, measureKey }: MeasureCellProps) {
  const { metric, used, limit, limitKey, share } = measure(member, measureKey);
  return (
    <Meter
      used={metricText(metric, used)}
      limit={limit === undefined ? undefined : metricText(metric, limit)}
      share={share}
      isAtLimit={limitKey !== undefined && member.limitsHit.includes(limitKey)}
    />
  );
}

function Name({ member: { who, limitsHit } }: { readonly member: LiveMember }) {
  const { tenantsPage } = words.value;
  const about = [who.package, who.reseller].filter((each) => each !== undefined).join(' · ');
  return (
    <>
      <a class="name" href={href(['tenants', who.name])}>
        {who.name}
      </a>
      <span class="second quiet">
        <span class={limitsHit.length > 0 ? 'with-extra' : undefined}>
          {who.stopped === true ? words.value.stopped : about}
        </span>
        {limitsHit.length > 0 && (
          <span class="without-extra at-limit">
            {tenantsPage.atItsLimit(numbers.value.list(limitsHit.map(limitWords)))}
          </span>
        )}
      </span>
    </>
  );
}

const LimitsHit = ({ member: { limitsHit, faults } }: { readonly member: LiveMember }) => (
  <>
    <span class="meter-line at-limit">{numbers.value.list(limitsHit.map(limitWords))}</span>
    {faults > 0 && (
      <span class="meter-line quiet">{words.value.tenantsPage.recentFaults(faults)}</span>
    )}
  </>
);
