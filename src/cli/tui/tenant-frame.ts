/** The screen of one tenant in `bulkhead top`: its usage, its processes, its last incidents. */
import type { IncidentsResponse, ProcessesResponse, TopRow } from '../../agent/api/api.ts';
import {
  bytesRate,
  countsText,
  dateTime,
  duration,
  percent,
  quantity,
  shortLimit,
} from '../shared/format.ts';
import { composeFrame, keyLine, reverse, type Size } from './frame.ts';
import { processTable, sortProcesses } from '../shared/process-table.ts';
import { ownMemory } from './top-rows.ts';
import type { Style } from './top-columns.ts';
import type { TopState } from './top-state.ts';
import { printable } from '../../../packages/base/printable.ts';
import { shortBytes } from '../../../packages/base/bytes.ts';
import { count } from '../../../packages/base/list.ts';
import { cutTo } from '../shared/width.ts';

export const incidentsShown = 4;
/** Title, usage, faults, remark, header and keys; then the incidents and their title. */
const frameLines = 6 + incidentsShown + 1;

export const tenantHeight = ({ rows }: Size) => Math.max(1, rows - frameLines);

/** The data of the tenant opened by Enter; it arrives in parts. */
export interface TenantData {
  readonly row?: TopRow | undefined;
  readonly processes?: ProcessesResponse | undefined;
  readonly incidents?: IncidentsResponse | undefined;
}

export function tenantFrame(
  state: TopState,
  data: TenantData,
  remark: string | undefined,
  size: Size,
  style: Style,
): readonly string[] {
  const { columns } = size;
  const lines = [titleText(state, data), ...useTexts(data)].map((each) => cutTo(each, columns));
  const said = remark ?? processesText(state, data);
  const [title = '', ...rest] = lines;
  const [header = '', ...processes] = processLines(state, data, size);
  const room = tenantHeight(size);
  return composeFrame(
    {
      head: [
        style.colors.bold(title),
        ...rest,
        remarkLine(said, remark !== undefined, size, style),
      ],
      body: [
        style.colors.dim(header),
        ...processes,
        ...Array.from({ length: room - processes.length }, () => ''),
        ...incidentLines(data, size, style),
      ],
      foot: keyLine(tenantKeys, columns, style),
    },
    size,
  );
}

const tenantKeys = [
  ['Esc', 'back'],
  ['q', 'quit'],
  ['h', 'help'],
  ['cmi', 'sort'],
  ['j/k', 'scroll'],
] as const;

const remarkLine = (text: string, wrong: boolean, { columns }: Size, { colors }: Style) => {
  const cut = cutTo(text, columns);
  return wrong ? colors.yellow(reverse(cut)) : colors.dim(cut);
};

function titleText({ opened }: TopState, { row, processes }: TenantData): string {
  const who = row ?? processes?.who;
  const name = opened?.name ?? '';
  const number = `uid ${opened?.uid ?? '?'}`;
  const more = [
    ...(name === number ? [] : [number]),
    ...(who?.package === undefined ? [] : [`package ${who.package}`]),
    ...(who?.reseller === undefined ? [] : [`reseller ${who.reseller}`]),
  ];
  return printable([name, more.join(', ')].filter((each) => each !== '').join(': '));
}

function useTexts({ row }: TenantData): readonly string[] {
  if (row === undefined) return ['Idle in the last tick', ''];
  const { usage, limitTexts, cpuLimitNow: cpuNow } = row;
  const of = (text: string | undefined) =>
    text === undefined || text === 'unlimited' ? '' : ` of ${printable(text)}`;
  const use = [
    `CPU ${percent(usage.cpu)}${of(limitTexts['cpu.limit'])}${cpuNow === undefined ? '' : ` (now ${percent(cpuNow)}: database servers use the rest)`}`,
    `memory ${shortBytes(ownMemory(row))}${max(usage.anonymousPeak, ownMemory(row), shortBytes)} + cache ${shortBytes(usage.cache)}${of(limitTexts['memory.limit'])}`,
    `threads ${usage.threads}${max(usage.threadsPeak, usage.threads, String)}${of(limitTexts['processes.limit'])}`,
  ];
  const faults = countsText(row.faults);
  const hits = row.limitsHit.map(shortLimit).join(' ');
  const io = `Read ${bytesRate(usage.read)}, write ${bytesRate(usage.write)}${databaseText(row, of)}${networkText(row, of)}`;
  const recent = faults === '' ? 'no faults' : `faults in 5 minutes: ${faults}`;
  return [use.join(', '), printable(`${io}; ${recent}${hits === '' ? '' : `; now: ${hits}`}`)];
}

/** Describes what database servers do for it; nothing while that is unknown. */
function databaseText({ usage, limitTexts }: TopRow, of: (text: string | undefined) => string) {
  const { databaseCpu, databaseConnections: connections, databasePaused: paused = 0 } = usage;
  if (connections === undefined && databaseCpu === undefined) return '';
  const cpu = `CPU ${quantity('fraction', databaseCpu)}${of(limitTexts['database.cpu'])}`;
  const known = connections === undefined ? '- connections' : count(connections, 'connection');
  const open = `${known}${of(limitTexts['database.connections'])}`;
  return `; database: ${cpu}, ${open}${paused > 0 ? `, paused ${percent(paused)}` : ''}`;
}

/** Describes what it sends and receives; nothing while that is not counted. */
function networkText({ usage, limitTexts }: TopRow, of: (text: string | undefined) => string) {
  const { sent, received, connectionsOut = 0 } = usage;
  if (sent === undefined || received === undefined) return '';
  const out = `sent ${bytesRate(sent)}${of(limitTexts['network.send'])}`;
  const back = `received ${bytesRate(received)}${of(limitTexts['network.receive'])}`;
  return `; network: ${out}, ${back}, ${connectionsOut.toFixed(1)} connections/s`;
}

/** Formats the peak within the tick, if it is above the sample. */
const max = (peak: number, sample: number, print: (value: number) => string) =>
  peak > sample ? ` (peak ${print(peak)})` : '';

function processesText(
  { processSort, processOffset }: TopState,
  { processes }: TenantData,
): string {
  if (processes === undefined) return 'Loading processes…';
  const { length } = processes.processes;
  const more = processes.processCount > length ? ` of ${processes.processCount}` : '';
  const from = processOffset === 0 ? '' : `, from number ${processOffset + 1}`;
  const noun = processes.processCount === 1 ? 'process' : 'processes';
  return `${length}${more} ${noun} by ${processSort}${from}`;
}

function processLines(state: TopState, { processes }: TenantData, size: Size): readonly string[] {
  if (processes === undefined) return [];
  const sorted = sortProcesses(processes.processes, state.processSort);
  const shown = sorted.slice(state.processOffset, state.processOffset + tenantHeight(size));
  return processTable(shown, size.columns)
    .split('\n')
    .map((line) => cutTo(line, size.columns));
}

function incidentLines(
  { incidents }: TenantData,
  { columns }: Size,
  style: Style,
): readonly string[] {
  const rows = incidents?.incidents.slice(0, incidentsShown) ?? [];
  const title =
    rows.length === 0
      ? 'No incidents in the last 24 hours'
      : 'Latest incidents of the last 24 hours';
  return [
    style.colors.bold(cutTo(title, columns)),
    ...rows.map(({ id, begin, end, limit, severity, faults, value }) =>
      cutTo(
        printable(
          `${dateTime(begin)}  ${severity} by ${shortLimit(limit)} ${value}, ${faults} faults in ${duration((end - begin) / 1000)}  #${id}`,
        ),
        columns,
      ),
    ),
  ];
}
