/** Licenses: which are taken for GPL-compatible, and what the others lose. */
import { hideSection, setModinfoEntries } from '../../../../../testing/oracle/edits.ts';
import type { Case } from '../../../../../testing/oracle/cases.ts';
import { loads, refused, load, ignoreVermagic, proprietary, make } from './steps.ts';

export const licenses: readonly Case[] = [
  'GPL',
  'GPL v2',
  'GPL and additional rights',
  'Dual BSD/GPL',
  'Dual MIT/GPL',
  'Dual MPL/GPL',
  'GPL\0for files in the "hal" directory; all else is Proprietary',
].map((license) =>
  make(
    `license "${license.replace('\0', '\\0')}" may use GPL-only symbols`,
    loads('OE'),
    load('gpl', [setModinfoEntries('license', license)]),
  ),
);

export const otherLicenses: readonly Case[] = [
  'Proprietary',
  'GPLv2',
  'GPL v3',
  'gpl',
  'GPL ',
  ' GPL',
  'BSD',
  'MIT',
  'Apache-2.0',
  'GPL-2.0',
  'LGPL',
  '',
  'GPL v2+',
  'unspecified',
].flatMap((license) => [
  make(
    `license "${license}" taints`,
    loads('POE'),
    load('plain', [setModinfoEntries('license', license)]),
  ),
  make(
    `license "${license}" may not use GPL-only symbols, and taints all the same`,
    refused('ENOENT'),
    load('gpl', [setModinfoEntries('license', license)]),
  ),
]);

export const licenseTags: readonly Case[] = [
  make('no license is "unspecified"', loads('POE'), load('plain', [setModinfoEntries('license')])),
  make(
    'the first of two licenses counts, a good one',
    loads('OE'),
    load('gpl', [setModinfoEntries('license', 'GPL', 'Proprietary')]),
  ),
  make(
    'the first of two licenses counts, a bad one',
    refused('ENOENT'),
    load('gpl', [setModinfoEntries('license', 'Proprietary', 'GPL')]),
  ),
  make(
    'no .modinfo at all',
    refused('ENOENT'),
    load('gpl', [hideSection('.modinfo')], ignoreVermagic),
  ),
  make(
    'no .modinfo, so no vermagic, by force',
    loads('PFOE'),
    load('plain', [hideSection('.modinfo')]),
  ),
  make(
    'a second proprietary module is not mentioned',
    loads('POE'),
    load('plain', [proprietary]),
    load('fails', [proprietary]),
    load('provider', [proprietary]),
  ),
];
