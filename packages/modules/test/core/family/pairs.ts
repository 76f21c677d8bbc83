/**
 * Rules that can meet: each feature touches one rule, and every two of them are put into one module.
 *
 * The base uses a plain symbol of another module, one of the kernel and a GPL-only one, and exports of both
 * kinds. Features are in an order in which each can be applied to what the earlier ones left.
 */
import {
  addSection,
  append,
  copySection,
  dirtyTarget,
  hideSection,
  setModinfoEntries,
  modinfoBy,
  setNames,
  onHeader,
  renameExport,
  renameImport,
  setSectionFlags,
  makeSignature,
  structName,
  swapSymbols,
  symbolSection,
  viaLivepatch,
  weaken,
  withoutCrc,
  wrongCrc,
  type Edit,
} from '../../../../../testing/oracle/edits.ts';

export interface Feature {
  readonly name: string;
  readonly edits: readonly Edit[];
  readonly flags?: number;
}

export const pairBase = 'fam_rich';

export const features: readonly Feature[] = [
  { name: 'proprietary', edits: [setModinfoEntries('license', 'Proprietary')] },
  { name: 'license with a NUL', edits: [setModinfoEntries('license', 'GPL\0 but not all')] },
  { name: 'no license', edits: [setModinfoEntries('license')] },
  { name: 'in tree', edits: [setModinfoEntries('intree', 'Y')] },
  { name: 'no retpoline', edits: [setModinfoEntries('retpoline')] },
  { name: 'staging', edits: [setModinfoEntries('staging', 'Y')] },
  { name: 'livepatch', edits: [setModinfoEntries('livepatch', 'Y')] },
  { name: 'test', edits: [setModinfoEntries('test', 'Y')] },
  { name: 'lve', edits: setNames('lve') },
  { name: 'ndiswrapper', edits: setNames('ndiswrapper') },
  { name: 'driverloader in the structure', edits: [structName('driverloader')] },
  { name: 'another name in modinfo', edits: [setModinfoEntries('name', 'fam_other')] },
  { name: 'no vermagic', edits: [setModinfoEntries('vermagic')] },
  {
    name: 'another release',
    edits: [modinfoBy('vermagic', (value) => value.replace(/^\S+/, '5.4.0'))],
  },
  { name: 'other flags', edits: [modinfoBy('vermagic', (value) => value.replace('SMP ', ''))] },
  { name: 'wrong layout', edits: [wrongCrc('module_layout')] },
  { name: 'wrong CRC of the kernel', edits: [wrongCrc('synchronize_rcu')] },
  { name: 'no CRC', edits: [withoutCrc('kfree')] },
  { name: 'wrong CRC of a module', edits: [wrongCrc('fam_plain_export')] },
  { name: 'order of symbols', edits: [swapSymbols('fam_plain_export', 'synchronize_rcu')] },
  { name: 'weak GPL-only', edits: [weaken('synchronize_rcu')] },
  { name: 'weak plain', edits: [weaken('fam_plain_export')] },
  {
    name: 'exports a symbol of the kernel',
    edits: [renameExport('fam_rich_export', 'kstrdup')],
  },
  {
    name: 'exports a symbol of a module',
    edits: [renameExport('fam_rich_gpl_export', 'fam_gpl_export')],
  },
  { name: 'unknown import', edits: [renameImport('kfree', 'fam_absent')] },
  {
    name: 'past the export table',
    edits: [
      setModinfoEntries('livepatch', 'Y'),
      viaLivepatch('.rela.rodata', '.rodata', 'synchronize_rcu'),
    ],
  },
  { name: 'COMMON', edits: [symbolSection('__start_alloc_tags', 0xfff2)] },
  { name: 'bad section', edits: [symbolSection('__stop_alloc_tags', 0x7000)] },
  { name: 'exports without CRCs', edits: [hideSection('__kcrctab')] },
  { name: 'no versions', edits: [hideSection('__versions')] },
  { name: 'write and execute', edits: [setSectionFlags('.exit.text', 7)] },
  {
    name: 'two kinds of constructors',
    edits: [
      addSection('.ctors', 3, new Uint8Array(8)),
      addSection('.init_array', 3, new Uint8Array(8)),
    ],
  },
  { name: 'bad relocation', edits: [dirtyTarget('.rela.exit.text', '.exit.text')] },
  { name: 'two .modinfo', edits: [copySection('.modinfo')] },
  { name: 'no .modinfo', edits: [hideSection('.modinfo')] },
  { name: 'two symbol tables', edits: [copySection('.symtab')] },
  { name: 'another machine', edits: [onHeader((header) => header.setUint16(18, 183, true))] },
  {
    name: 'another type of signature',
    edits: [append(makeSignature(new Uint8Array(64), { type: 1 }))],
  },
  { name: 'junk for a signature', edits: [append(makeSignature(new Uint8Array(64)))] },
  { name: 'versions ignored', edits: [], flags: 1 },
  { name: 'vermagic ignored', edits: [], flags: 2 },
];
