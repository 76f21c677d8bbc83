/**
 * A policy as CloudLinux's ve.cfg, for hosts that still run CloudLinux and for going back to it.
 *
 * The file records the limits of a uid, not its package: every tenant is written with the limits
 * that differ from the defaults, wherever they come from. The defaults are written in full, since
 * CloudLinux has its own for missing ones. Limits that ve.cfg cannot express are reported.
 */
import { attributes } from '../../limits/limits.ts';
import type { LimitKey, LimitValues } from '../../limits/limit.ts';
import { unlimited, type Quantity } from '../../../packages/base/quantity.ts';
import { Diagnostics, type Diagnostic, type Span } from '../../policy/diagnostic.ts';
import type { LimitBlock, PolicyDocument } from '../../policy/document.ts';
import { escapeAttribute } from '../../policy/xml-edit.ts';
import { givenLimits, type Policy } from '../../policy/policy.ts';

/** Limits for which ve.cfg has an element. */
const sayable: readonly LimitKey[] = [
  'cpu.limit',
  'memory.limit',
  'io.read',
  'io.write',
  'io.total',
  'io.reads',
  'io.writes',
  'io.operations',
  'processes.limit',
  'entries.limit',
];
const unsayable = [...attributes.keys()].filter((key) => !sayable.includes(key));

const pageBytes = 4096;

export function exportVeCfg(
  document: PolicyDocument,
  policy: Policy,
): { readonly text: string; readonly diagnostics: readonly Diagnostic[] } {
  const diagnostics = new Diagnostics(document.file, document.text, document.merged?.sources);
  reportUnsayable(document, diagnostics);
  const defaults = valuesIn(document.defaults);
  const base = elementsOf(defaults);
  const lines = [
    '<?xml version="1.0" ?>',
    '<lveconfig>',
    ...element('defaults', '', [...base, '<mem limit="0"/>']),
    ...document.packages.flatMap((each) => {
      const values = { ...defaults, ...valuesIn(each) };
      return element(
        'package',
        ` id="${escapeAttribute(each.name.value)}"`,
        different(values, base),
      );
    }),
    ...policy.tenants.flatMap((tenant) => {
      const own = different(givenLimits(tenant), base);
      return own.length === 0 ? [] : element('lve', ` id="${tenant.uid}"`, own);
    }),
    '</lveconfig>',
    '',
  ];
  return { text: lines.join('\n'), diagnostics: diagnostics.list };
}

function element(name: string, head: string, inside: readonly string[]): readonly string[] {
  if (inside.length === 0) return [` <${name}${head}/>`];
  return [` <${name}${head}>`, ...inside.map((each) => `   ${each}`), ` </${name}>`];
}

/**
 * Returns the elements that differ from `base`; cpu and ncpu go together, since the smaller of the
 * two applies.
 */
function different(values: LimitValues, base: readonly string[]): readonly string[] {
  const own = elementsOf(values);
  const isCpu = (each: string) => /^<n?cpu /.test(each);
  const cpuDiffers = own.some((each) => isCpu(each) && !base.includes(each));
  return own.filter((each) => (isCpu(each) ? cpuDiffers : !base.includes(each)));
}

/** Returns the elements in the order in which the vendor's tools write them. */
function elementsOf(values: LimitValues): readonly string[] {
  const value = (key: LimitKey) => values[key] ?? unlimited;
  const cpu = whole(value('cpu.limit'), (fraction) => Math.round(fraction * 100));
  const io = together(values, ioPairs[0]);
  const iops = together(values, ioPairs[1]);
  return [
    `<cpu limit="${cpu === 0 ? 0 : `${cpu}%`}"/>`,
    `<ncpu limit="${Math.ceil(cpu / 100)}"/>`,
    `<io limit="${whole(io, (bytes) => Math.floor(bytes / 1024))}"/>`,
    `<iops limit="${whole(iops, (number) => number)}"/>`,
    `<pmem limit="${whole(value('memory.limit'), (bytes) => Math.floor(bytes / pageBytes))}"/>`,
    `<nproc limit="${whole(value('processes.limit'), (number) => number)}"/>`,
    `<other maxentryprocs="${whole(value('entries.limit'), (number) => number)}"/>`,
  ];
}

const ioPairs = [
  ['io.total', 'io.read', 'io.write'],
  ['io.operations', 'io.reads', 'io.writes'],
] as const;

/** Returns the total, which is what ve.cfg means; without one, the smaller of both directions. */
function together(values: LimitValues, [total, read, write]: (typeof ioPairs)[number]): Quantity {
  const value = (key: LimitKey) => values[key] ?? unlimited;
  return value(total) === unlimited ? smaller(value(read), value(write)) : value(total);
}

/** Converts to a whole number. 0 is unlimited, so no limit may round down to it. */
function whole(value: Quantity, convert: (number: number) => number): number {
  return value === unlimited ? 0 : Math.max(1, convert(value));
}

function smaller(a: Quantity, b: Quantity): Quantity {
  if (a === unlimited) return b;
  return b === unlimited || a <= b ? a : b;
}

function valuesIn(block: LimitBlock | undefined): LimitValues {
  return Object.fromEntries([...(block?.values ?? [])].map(([key, { value }]) => [key, value]));
}

function reportUnsayable(document: PolicyDocument, diagnostics: Diagnostics): void {
  const report = gatherer(diagnostics);
  const blocks = blocksOf(document);
  for (const { values } of blocks) {
    for (const key of unsayable) {
      const at = values.get(key);
      if (at !== undefined)
        report(at, `ve.cfg has no element for ${key.replace('.', ' ')}; it is left out`);
    }
    reportRounding(values, report);
  }
  reportSeparateIo(document, report);
  for (const each of document.resellers) {
    report(
      each,
      've.cfg has no documented element for a reseller; its tenants are written one by one',
    );
  }
  for (const each of document.tenantRanges) {
    const [first] = each.except;
    if (first !== undefined) report(first, 've.cfg limits every user; "except" is left out');
  }
  if (document.symlinks !== undefined) report(document.root, '<symlinks> is left out');
  if (document.modules !== undefined) report(document.modules, '<modules> is left out');
  report.done();
}

/** Reports limits on reads and writes, which ve.cfg has only for both together. */
function reportSeparateIo(document: PolicyDocument, report: Report): void {
  for (const { effective, at } of effectiveIo(document)) {
    for (const [total, read, write] of ioPairs) {
      const [both, one, other] = [total, read, write].map((key) => effective[key] ?? unlimited);
      if (both !== unlimited && (one !== unlimited || other !== unlimited)) {
        report(
          at(read, write),
          `ve.cfg limits reads and writes only together; ${total} is written, ${read} and ${write} are left out`,
        );
      }
      if (both !== unlimited || one === other) continue;
      report(
        at(read, write),
        `ve.cfg limits reads and writes together; the smaller of ${read} and ${write} is written`,
      );
    }
  }
}

type Values = LimitBlock['values'];
type Report = ((at: Span, message: string) => void) & { readonly done: () => void };

/** Reports each message once, at its first place. */
function gatherer(diagnostics: Diagnostics): Report {
  const places = new Map<string, { at: Span; count: number }>();
  const report = (at: Span, message: string) => {
    const known = places.get(message);
    if (known === undefined) places.set(message, { at, count: 1 });
    else known.count++;
  };
  const done = () => {
    for (const [message, { at, count }] of places) {
      diagnostics.warn(at, count > 1 ? `${message} (${count} places)` : message);
    }
  };
  return Object.assign(report, { done });
}

function reportRounding(values: Values, report: Report): void {
  const inexact = (key: LimitKey, scale: number, unit: string) => {
    const at = values.get(key);
    if (at === undefined || at.value === unlimited) return;
    const scaled = at.value * scale;
    if (Math.abs(scaled - Math.round(scaled)) < 1e-6) return;
    report(at, `ve.cfg counts ${key.replace('.', ' ')} in ${unit}; it is rounded`);
  };
  inexact('cpu.limit', 100, 'whole percents');
  inexact('memory.limit', 1 / pageBytes, 'pages of 4096 bytes');
  inexact('io.total', 1 / 1024, 'KiB a second');
  inexact('io.read', 1 / 1024, 'KiB a second');
  inexact('io.write', 1 / 1024, 'KiB a second');
}

const blocksOf = (document: PolicyDocument): readonly (LimitBlock & Span)[] => [
  ...(document.defaults === undefined ? [] : [document.defaults]),
  ...document.packages,
  ...document.tenants,
  ...document.resellers.flatMap((each) => each.tenants),
];

/** Reads and writes as they are where a block is laid over the defaults. */
function effectiveIo(document: PolicyDocument) {
  const defaults = valuesIn(document.defaults);
  return blocksOf(document)
    .filter((block) => [...block.values.keys()].some((key) => key.startsWith('io.')))
    .map((block) => ({
      effective: { ...defaults, ...valuesIn(block) },
      at: (read: LimitKey, write: LimitKey): Span =>
        block.values.get(read) ?? block.values.get(write) ?? block,
    }));
}
