/** Vermagic and versions of symbols. */
import {
  addSection,
  extendVersions,
  hideSection,
  setModinfoEntries,
  modinfoBy,
  renameImport,
  setSectionFlags,
  swapSymbols,
  weaken,
  withoutCrc,
  wrongCrc,
} from '../../../../../testing/oracle/edits.ts';
import type { Case } from '../../../../../testing/oracle/cases.ts';
import {
  loads,
  refused,
  load,
  ignoreVersions,
  ignoreVermagic,
  proprietary,
  provider,
  make,
} from './steps.ts';

export const vermagics: readonly Case[] = [
  make(
    'another release in vermagic',
    loads('OE'),
    load('plain', [modinfoBy('vermagic', (value) => value.replace(/^\S+/, '5.4.0-evil'))]),
  ),
  make(
    'other flags in vermagic',
    refused('ENOEXEC'),
    load('plain', [modinfoBy('vermagic', (value) => value.replace('SMP ', ''))]),
  ),
  make(
    'vermagic without the blank at its end',
    refused('ENOEXEC'),
    load('plain', [modinfoBy('vermagic', (value) => value.trimEnd())]),
  ),
  make(
    'a release alone in vermagic',
    refused('ENOEXEC'),
    load('plain', [modinfoBy('vermagic', (value) => value.split(' ')[0]!)]),
  ),
  make('no vermagic is forced', loads('FOE'), load('plain', [setModinfoEntries('vermagic')])),
  make('an empty vermagic', refused('ENOEXEC'), load('plain', [setModinfoEntries('vermagic', '')])),
  make('the flag to ignore vermagic', loads('FOE'), load('plain', [], ignoreVermagic)),
  make(
    'a wrong vermagic and the flag to ignore it',
    loads('FOE'),
    load('plain', [setModinfoEntries('vermagic', 'none')], ignoreVermagic),
  ),
  make(
    'another release without versions',
    refused('ENOEXEC'),
    load('plain', [
      hideSection('__versions'),
      modinfoBy('vermagic', (value) => value.replace(/^\S+/, '5.4.0-evil')),
    ]),
  ),
  make(
    'another release and the flag to ignore versions',
    refused('ENOEXEC'),
    load(
      'plain',
      [modinfoBy('vermagic', (value) => value.replace(/^\S+/, '5.4.0-evil'))],
      ignoreVersions,
    ),
  ),
];

const extended = '__version_ext_crcs';

/** Kernels before 6.14 do not know them. */
export const extendedVersions: readonly Case[] = [
  make(
    'extended versions alone',
    loads('FOE'),
    load('gpl', [extendVersions(), hideSection('__versions')]),
  ),
  make('extended versions beside others', loads('OE'), load('gpl', [extendVersions()])),
  make(
    'extended versions that are wrong',
    loads('OE'),
    load('gpl', [extendVersions((name, crc) => (name === 'synchronize_rcu' ? crc ^ 1 : crc))]),
  ),
  make(
    'extended versions of another layout',
    loads('OE'),
    load('gpl', [extendVersions((name, crc) => (name === 'module_layout' ? crc ^ 1 : crc))]),
  ),
  make(
    'extended versions without one',
    loads('OE'),
    load('gpl', [extendVersions((name, crc) => (name === 'synchronize_rcu' ? undefined : crc))]),
  ),
  make(
    'extended versions without one, and plain ones that are wrong',
    refused('EINVAL'),
    load('gpl', [
      extendVersions((name, crc) => (name === 'synchronize_rcu' ? undefined : crc)),
      wrongCrc('synchronize_rcu'),
    ]),
  ),
  make(
    'extended versions without names',
    loads('OE'),
    load('gpl', [addSection(extended, 2, new Uint8Array(4))]),
  ),
  make(
    'extended versions with too few names',
    loads('OE'),
    load('gpl', [
      addSection(extended, 2, new Uint8Array(8)),
      addSection('__version_ext_names', 2, new Uint8Array(1)),
    ]),
  ),
  make(
    'extended versions without names, and the flag to ignore versions',
    loads('FOE'),
    load('gpl', [addSection(extended, 2, new Uint8Array(4))], ignoreVersions),
  ),
  make(
    'another release and extended versions alone',
    refused('ENOEXEC'),
    load('plain', [
      extendVersions(),
      hideSection('__versions'),
      modinfoBy('vermagic', (value) => value.replace(/^\S+/, '5.4.0-evil')),
    ]),
  ),
];

/** Cases of a table of flags, which since 7.2 marks the GPL-only exports. */
export const exportFlags: readonly Case[] = [
  make('exports without flags', refused('ENOEXEC'), load('provider', [hideSection('__kflagstab')])),
  make(
    'a table of flags and no exports',
    loads('OE'),
    load('plain', [addSection('__kflagstab', 2, new Uint8Array(1))]),
  ),
  make(
    'empty tables of GPL-only exports',
    loads('OE'),
    load('plain', [
      addSection('__ksymtab_gpl', 2, new Uint8Array(0)),
      addSection('__kcrctab_gpl', 2, new Uint8Array(0)),
    ]),
  ),
];

export const versions: readonly Case[] = [
  make('no versions is forced', loads('FOE'), load('plain', [hideSection('__versions')])),
  make(
    'versions without ALLOC are none',
    loads('FOE'),
    load('plain', [setSectionFlags('__versions', 0)]),
  ),
  make('the flag to ignore versions', loads('FOE'), load('gpl', [], ignoreVersions)),
  make(
    'forced twice is said once',
    loads('FOE'),
    load('plain', [], ignoreVersions),
    load('gpl', [], ignoreVermagic),
  ),
  make('both flags', loads('PFOE'), load('plain', [proprietary], ignoreVersions + ignoreVermagic)),
  make(
    'the wrong layout of struct module',
    refused('ENOEXEC'),
    load('plain', [wrongCrc('module_layout')]),
  ),
  make(
    'no version of the layout',
    refused('ENOEXEC'),
    load('plain', [withoutCrc('module_layout')]),
  ),
  make('a wrong CRC', refused('EINVAL'), load('gpl', [wrongCrc('synchronize_rcu')])),
  make(
    'a wrong CRC and the flag to ignore versions',
    loads('FOE'),
    load('gpl', [wrongCrc('synchronize_rcu')], ignoreVersions),
  ),
  make('no CRC', refused('EINVAL'), load('gpl', [withoutCrc('synchronize_rcu')])),
  make(
    'a wrong CRC of a weak import',
    refused('EINVAL'),
    load('gpl', [weaken('synchronize_rcu'), wrongCrc('synchronize_rcu')]),
  ),
  make(
    'a wrong CRC of a GPL-only symbol is not reached by a proprietary module',
    refused('ENOENT'),
    load('gpl', [proprietary, wrongCrc('synchronize_rcu')]),
  ),
  make(
    'a wrong CRC of a symbol of a module',
    refused('EINVAL'),
    provider,
    load('plain_user', [wrongCrc('fam_plain_export')]),
  ),
  make(
    'exports without CRCs are forced',
    loads('FOE'),
    load('provider', [hideSection('__kcrctab')]),
  ),
  make(
    'GPL-only exports without CRCs are forced',
    loads('FOE'),
    load('provider', [hideSection('__kcrctab_gpl')]),
  ),
  make(
    'an export without CRC fits any',
    loads('OE'),
    load('provider', [hideSection('__kcrctab')]),
    load('plain_user', [wrongCrc('fam_plain_export')]),
  ),
  make(
    'a wrong CRC, then an unknown symbol: the last error counts',
    refused('ENOENT'),
    provider,
    load('rich', [renameImport('fam_plain_export', 'fam_absent'), wrongCrc('kfree')]),
  ),
  make(
    'an unknown symbol, then a wrong CRC: the last error counts',
    refused('EINVAL'),
    provider,
    load('rich', [
      swapSymbols('fam_plain_export', 'kfree'),
      wrongCrc('kfree'),
      renameImport('fam_plain_export', 'fam_absent'),
    ]),
  ),
];
