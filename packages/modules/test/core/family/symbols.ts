/** Symbols that are used and exported, and the proprietary taint that passes along them. */
import {
  setModinfoEntries,
  setNames,
  renameExport,
  renameExportString,
  renameImport,
  swapSymbols,
  symbolSection,
  viaLivepatch,
  weaken,
  wrongCrc,
} from '../../../../../testing/oracle/edits.ts';
import type { Case } from '../../../../../testing/oracle/cases.ts';
import {
  loads,
  refused,
  load,
  unload,
  proprietary,
  provider,
  proprietaryProvider,
  make,
} from './steps.ts';

export const symbols: readonly Case[] = [
  make(
    'an unknown symbol',
    refused('ENOENT'),
    load('gpl', [renameImport('synchronize_rcu', 'fam_absent')]),
  ),
  make(
    'a weak unknown symbol is NULL',
    loads('OE'),
    load('gpl', [renameImport('synchronize_rcu', 'fam_absent'), weaken('fam_absent')]),
  ),
  make(
    'a weak GPL-only symbol is NULL for a proprietary module',
    loads('POE'),
    load('gpl', [proprietary, weaken('synchronize_rcu')]),
  ),
  make(
    '_GLOBAL_OFFSET_TABLE_ may be absent',
    loads('OE'),
    load('gpl', [renameImport('synchronize_rcu', '_GLOBAL_OFFSET_TABLE_')]),
  ),
  make(
    'a COMMON symbol',
    refused('ENOEXEC'),
    load('provider', [symbolSection('fam_plain_export', 0xfff2)]),
  ),
  make(
    'a COMMON symbol of GCC',
    loads('OE'),
    load('gpl', [
      renameImport('synchronize_rcu', '__gnu_lto_slim'),
      symbolSection('__gnu_lto_slim', 0xfff2),
    ]),
  ),
  make(
    'an absolute symbol',
    loads('OE'),
    load('provider', [symbolSection('fam_plain_export', 0xfff1)]),
  ),
  make(
    'a livepatch symbol is left alone',
    loads('OE'),
    load('gpl', [symbolSection('synchronize_rcu', 0xff20)]),
  ),
  make(
    'a symbol of a section that is not there',
    refused('ENOEXEC'),
    load('provider', [symbolSection('fam_plain_export', 0x7000)]),
  ),
  make(
    'a COMMON symbol and an unknown one',
    refused('ENOENT'),
    provider,
    load('rich', [
      symbolSection('fam_rich_gpl_export', 0xfff2),
      renameImport('kfree', 'fam_absent'),
    ]),
  ),
  make(
    'exports a symbol of the kernel',
    refused('ENOEXEC'),
    load('provider', [renameExport('fam_plain_export', 'kfree')]),
  ),
  make(
    'exports a symbol of another module',
    refused('ENOEXEC'),
    provider,
    load('ns_provider', [renameExport('fam_ns_export', 'fam_gpl_export'.slice(0, 13))]),
    load('rich', [renameExport('fam_rich_export', 'fam_gpl_export')]),
  ),
  make(
    'exports the same symbol GPL-only',
    refused('ENOEXEC'),
    provider,
    load('rich', [renameExport('fam_rich_gpl_export', 'fam_plain_export')]),
  ),
  make(
    'exports a symbol of the kernel, by the string alone',
    refused('ENOEXEC'),
    load('provider', [renameExportString('fam_plain_export', 'kfree')]),
  ),
  make(
    'a duplicate export is not found before the imports',
    refused('ENOENT'),
    load('rich', [
      renameExport('fam_rich_export', 'kfree'),
      renameImport('synchronize_rcu', 'fam_absent'),
    ]),
  ),
  make(
    'unloading takes the exports away',
    refused('ENOENT'),
    provider,
    unload('fam_provider'),
    load('plain_user'),
  ),
  make('init fails, after the module tainted', refused('ENODEV'), load('fails', [proprietary])),
];

export const inheritance: readonly Case[] = [
  make('GPL modules use each other', loads('OE'), provider, load('both_user')),
  make(
    'a proprietary module uses a plain export',
    loads('POE'),
    provider,
    load('plain_user', [proprietary]),
  ),
  make(
    'a proprietary module and a GPL-only export',
    refused('ENOENT'),
    provider,
    load('gpl_user', [proprietary]),
  ),
  make(
    'the taint is inherited along a plain export',
    loads('POE'),
    proprietaryProvider,
    load('plain_user'),
  ),
  make(
    'GPL-only exports of a proprietary module are for nobody',
    refused('ENOENT'),
    proprietaryProvider,
    load('gpl_user'),
  ),
  make(
    'both exports of a proprietary module',
    refused('ENOENT'),
    proprietaryProvider,
    load('both_user'),
  ),
  make(
    'both exports of a proprietary module, the other way round',
    refused('ENOENT'),
    proprietaryProvider,
    load('both_user', [swapSymbols('fam_plain_export', 'fam_gpl_export')]),
  ),
  make(
    'a proprietary export and one of the kernel',
    refused('ENOENT'),
    proprietaryProvider,
    load('mixed_user'),
  ),
  make(
    'the same, the other way round',
    refused('ENOENT'),
    proprietaryProvider,
    load('mixed_user', [swapSymbols('fam_plain_export', 'synchronize_rcu')]),
  ),
  make(
    'weak uses of both load',
    loads('POE'),
    proprietaryProvider,
    load('mixed_user', [weaken('synchronize_rcu'), weaken('fam_plain_export')]),
  ),
  make(
    'weak uses of both, the other way round',
    loads('OE'),
    proprietaryProvider,
    load('mixed_user', [
      swapSymbols('fam_plain_export', 'synchronize_rcu'),
      weaken('synchronize_rcu'),
      weaken('fam_plain_export'),
    ]),
  ),
  make(
    'the taint is inherited twice',
    loads('POE'),
    proprietaryProvider,
    load('middle'),
    load('middle_user'),
  ),
  make(
    'a module in the middle that uses GPL-only symbols',
    refused('ENOENT'),
    proprietaryProvider,
    load('middle'),
    load('middle_user', [renameImport('fam_middle_export', 'fam_gpl_export')]),
  ),
  make(
    'exports of ndiswrapper pass nothing on',
    loads('OE'),
    load('provider', setNames('ndiswrapper')),
    load('both_user'),
  ),
  make(
    'exports of lve pass the taint on',
    loads('POE'),
    load('provider', setNames('lve')),
    load('plain_user'),
  ),
  make(
    'inheriting, with the wrong CRC',
    refused('EINVAL'),
    proprietaryProvider,
    load('plain_user', [wrongCrc('fam_plain_export')]),
  ),
];

export const namespaces: readonly Case[] = [
  make('an imported namespace', loads('OE'), load('ns_provider'), load('ns_user')),
  make(
    'a namespace that is not imported',
    refused('EINVAL'),
    load('ns_provider'),
    load('ns_user', [setModinfoEntries('import_ns')]),
  ),
  make(
    'another namespace',
    refused('EINVAL'),
    load('ns_provider'),
    load('ns_user', [setModinfoEntries('import_ns', 'FAMIL', 'FAMILY2')]),
  ),
  make(
    'one of several namespaces',
    loads('OE'),
    load('ns_provider'),
    load('ns_user', [setModinfoEntries('import_ns', 'OTHER', 'FAMILY')]),
  ),
  make(
    'a namespace for a proprietary module',
    refused('ENOENT'),
    load('ns_provider'),
    load('ns_user', [proprietary]),
  ),
  make(
    'a namespace of a proprietary module',
    refused('ENOENT'),
    load('ns_provider', [proprietary]),
    load('ns_user'),
  ),
  make(
    'a namespace missing and a CRC wrong',
    refused('EINVAL'),
    load('ns_provider'),
    load('ns_user', [
      setModinfoEntries('import_ns'),
      wrongCrc('fam_ns_export'),
      wrongCrc('fam_ns_gpl_export'),
    ]),
  ),
  make(
    'a namespace missing for weak imports',
    refused('EINVAL'),
    load('ns_provider'),
    load('ns_user', [
      setModinfoEntries('import_ns'),
      weaken('fam_ns_export'),
      weaken('fam_ns_gpl_export'),
    ]),
  ),
];

export const livepatch: readonly Case[] = [
  make(
    'a proprietary live patch reaches a GPL-only symbol',
    loads('POEK'),
    load('gpl', [
      proprietary,
      setModinfoEntries('livepatch', 'Y'),
      viaLivepatch('.rela.rodata', '.rodata', 'synchronize_rcu'),
    ]),
  ),
  make(
    'a proprietary live patch and an ordinary import',
    refused('ENOENT'),
    load('gpl', [proprietary, setModinfoEntries('livepatch', 'Y')]),
  ),
];
