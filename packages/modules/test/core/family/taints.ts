/** Reasons other than the license that taint a kernel: tags and names. */
import { setModinfoEntries, setNames, structName } from '../../../../../testing/oracle/edits.ts';
import type { Case } from '../../../../../testing/oracle/cases.ts';
import { loads, refused, load, unload, proprietary, make } from './steps.ts';

export const otherTaints: readonly Case[] = [
  make('a plain module', loads('OE'), load('plain')),
  make(
    'intree=Y suppresses the taint O',
    loads('E'),
    load('plain', [setModinfoEntries('intree', 'Y')]),
  ),
  make('an empty intree does so too', loads('E'), load('plain', [setModinfoEntries('intree', '')])),
  make('no retpoline tag', loads('OE'), load('plain', [setModinfoEntries('retpoline')])),
  make('staging', loads('COE'), load('plain', [setModinfoEntries('staging', 'Y')])),
  make(
    'staging twice is said twice',
    loads('COE'),
    load('plain', [setModinfoEntries('staging', 'Y')]),
    load('provider', [setModinfoEntries('staging', 'N')]),
  ),
  make('livepatch tag', loads('OEK'), load('plain', [setModinfoEntries('livepatch', 'Y')])),
  make(
    'livepatch tag twice',
    loads('OEK'),
    load('plain', [setModinfoEntries('livepatch', 'Y')]),
    load('provider', [setModinfoEntries('livepatch', 'Y')]),
  ),
  make('test tag', loads('OEN'), load('plain', [setModinfoEntries('test', 'Y')])),
  make(
    'all tags at once',
    loads('PCOEKN'),
    load('plain', [
      proprietary,
      setModinfoEntries('staging', 'Y'),
      setModinfoEntries('livepatch', 'Y'),
      setModinfoEntries('test', 'Y'),
    ]),
  ),
  make(
    'what is said once stays said after unloading',
    loads('OE'),
    load('plain'),
    unload('fam_plain'),
    load('plain'),
  ),
];

export const names: readonly Case[] = [
  make('lve is tainted whatever its license', loads('POE'), load('plain', setNames('lve'))),
  make('lve may not use GPL-only symbols', refused('ENOENT'), load('gpl', setNames('lve'))),
  make(
    'driverloader is tainted whatever its license',
    loads('POE'),
    load('plain', setNames('driverloader')),
  ),
  make(
    'driverloader may not use GPL-only symbols',
    refused('ENOENT'),
    load('gpl', setNames('driverloader')),
  ),
  make(
    'ndiswrapper taints the kernel, not itself',
    loads('OE'),
    load('gpl', setNames('ndiswrapper')),
  ),
  make(
    'a proprietary ndiswrapper',
    refused('ENOENT'),
    load('gpl', [setNames('ndiswrapper'), proprietary]),
  ),
  make(
    'lve in modinfo alone is not lve',
    loads('OE'),
    load('gpl', [setModinfoEntries('name', 'lve')]),
  ),
  make('lve in the structure alone is lve', refused('ENOENT'), load('gpl', [structName('lve')])),
  make(
    'a proprietary lve says both lines',
    loads('POE'),
    load('plain', [setNames('lve'), proprietary]),
  ),
  make(
    'lve after a proprietary module says nothing',
    loads('POE'),
    load('provider', [proprietary]),
    load('plain', setNames('lve')),
  ),
  make('lve2 is not lve', loads('OE'), load('gpl', setNames('lve2'))),
  make(
    'the name of built-in code',
    refused('EINVAL'),
    load('gpl', [proprietary, setNames('printk')]),
    load('gpl', setNames('printk')),
  ),
  make('the name of what has no name', refused('EINVAL'), load('plain', setNames('kernel'))),
  make(
    'the name of built-in code in modinfo alone',
    loads('OE'),
    load('plain', [setModinfoEntries('name', 'printk')]),
  ),
  make('no name at all', refused('EINVAL'), load('plain', setNames(''))),
  make('no name in modinfo', loads('OE'), load('plain', [setModinfoEntries('name')])),
  make('the same name twice', refused('EEXIST'), load('plain'), load('plain')),
  make(
    'the same structure name, another modinfo name',
    refused('EEXIST'),
    load('plain'),
    load('gpl', [structName('fam_plain')]),
  ),
  make(
    'the same modinfo name, another structure name',
    loads('OE'),
    load('plain'),
    load('gpl', [setModinfoEntries('name', 'fam_plain')]),
  ),
  make(
    'already there, and would taint',
    refused('EEXIST'),
    load('plain'),
    load('plain', [proprietary, setModinfoEntries('staging', 'Y')]),
  ),
];
