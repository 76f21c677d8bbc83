/**
 * /proc/kallsyms: the exports of the running kernel, used when there is nothing better.
 *
 *   ffffffff82c1a0f4 r __ksymtab_vfs_read
 *   ffffffff82c1a000 R __start___ksymtab
 *   ffffffffc0301040 r __ksymtab_mod_call  [module]
 *
 * An entry is GPL-only when it lies between the bounds of `__ksymtab_gpl`. Neither CRC nor
 * namespace is visible. Entries of modules are left out: its bounds are not visible. Source:
 * kernel/kallsyms.c; addresses are zero for readers without CAP_SYSLOG (kernel.kptr_restrict).
 */
import type { Cause } from '../../../base/problem.ts';
import { fail, ok, type Result } from '../../../base/result.ts';
import type { SymbolExport } from '../record/module.ts';

/** Parses the exports. The error is the reason, and what to do. */
export function parseKallsyms(text: string): Result<readonly SymbolExport[], Cause> {
  const { bounds, entries } = collect(text);
  if (entries.length === 0) return fail({ reason: 'it shows no entry of the export table' });
  if (entries.every(([address]) => /^0+$/.test(address))) {
    return fail({
      reason: 'its addresses are hidden',
      hint: 'run this as root, with kernel.kptr_restrict below 2',
      errno: 'EPERM',
    });
  }
  const [plain, gpl] = [bounds.get('__ksymtab'), bounds.get('__ksymtab_gpl')];
  if (plain === undefined || gpl === undefined) {
    return fail({ reason: 'it does not show where the table of GPL-only exports begins' });
  }
  const exports = entries.flatMap(([address, name]) => {
    const gplOnly = within(gpl, address);
    if (!gplOnly && !within(plain, address)) return [];
    return [{ name, gplOnly, namespace: undefined, crc: undefined }];
  });
  return exports.length === 0 ? fail({ reason: 'the tables of exports are empty' }) : ok(exports);
}

/** The bounds as texts: addresses are hexadecimal of one width, so texts sort as addresses do. */
interface Bounds {
  start: string;
  stop: string;
}

const within = ({ start, stop }: Bounds, address: string): boolean =>
  address >= start && address < stop;

const line = /^([0-9a-f]{1,16}) \S (?:__ksymtab_(\S+)|__(start|stop)_(__ksymtab(?:_gpl)?))$/gm;

function collect(text: string) {
  const starts = new Map<string, string>();
  const stops = new Map<string, string>();
  const entries: [address: string, name: string][] = [];
  for (const [, digits = '', name, edge, table = ''] of text.matchAll(line)) {
    const address = digits.padStart(16, '0');
    if (name !== undefined) entries.push([address, name]);
    else (edge === 'start' ? starts : stops).set(table, address);
  }
  const bounds = new Map<string, Bounds>();
  for (const [table, start] of starts) {
    const stop = stops.get(table);
    if (stop !== undefined) bounds.set(table, { start, stop });
  }
  return { bounds, entries };
}
