/** Reasons other than the license that taint a kernel: tags and names. */
import { modinfo, named, structName } from '../../../../../testing/oracle/edits.ts';
import type { Case } from '../../../../../testing/oracle/cases.ts';
import { loads, refused, load, unload, proprietary, make } from './steps.ts';

export const otherTaints: readonly Case[] = [
  make('a plain module', loads('OE'), load('plain')),
  make('intree=Y suppresses the taint O', loads('E'), load('plain', [modinfo('intree', 'Y')])),
  make('an empty intree does so too', loads('E'), load('plain', [modinfo('intree', '')])),
  make('no retpoline tag', loads('OE'), load('plain', [modinfo('retpoline')])),
  make('staging', loads('COE'), load('plain', [modinfo('staging', 'Y')])),
  make(
    'staging twice is said twice',
    loads('COE'),
    load('plain', [modinfo('staging', 'Y')]),
    load('provider', [modinfo('staging', 'N')]),
  ),
  make('livepatch tag', loads('OEK'), load('plain', [modinfo('livepatch', 'Y')])),
  make(
    'livepatch tag twice',
    loads('OEK'),
    load('plain', [modinfo('livepatch', 'Y')]),
    load('provider', [modinfo('livepatch', 'Y')]),
  ),
  make('test tag', loads('OEN'), load('plain', [modinfo('test', 'Y')])),
  make(
    'all tags at once',
    loads('PCOEKN'),
    load('plain', [
      proprietary,
      modinfo('staging', 'Y'),
      modinfo('livepatch', 'Y'),
      modinfo('test', 'Y'),
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
  make('lve is tainted whatever its license', loads('POE'), load('plain', named('lve'))),
  make('lve may not use GPL-only symbols', refused('ENOENT'), load('gpl', named('lve'))),
  make(
    'driverloader is tainted whatever its license',
    loads('POE'),
    load('plain', named('driverloader')),
  ),
  make(
    'driverloader may not use GPL-only symbols',
    refused('ENOENT'),
    load('gpl', named('driverloader')),
  ),
  make('ndiswrapper taints the kernel, not itself', loads('OE'), load('gpl', named('ndiswrapper'))),
  make(
    'a proprietary ndiswrapper',
    refused('ENOENT'),
    load('gpl', [named('ndiswrapper'), proprietary]),
  ),
  make('lve in modinfo alone is not lve', loads('OE'), load('gpl', [modinfo('name', 'lve')])),
  make('lve in the structure alone is lve', refused('ENOENT'), load('gpl', [structName('lve')])),
  make(
    'a proprietary lve says both lines',
    loads('POE'),
    load('plain', [named('lve'), proprietary]),
  ),
  make(
    'lve after a proprietary module says nothing',
    loads('POE'),
    load('provider', [proprietary]),
    load('plain', named('lve')),
  ),
  make('lve2 is not lve', loads('OE'), load('gpl', named('lve2'))),
  make(
    'the name of built-in code',
    refused('EINVAL'),
    load('gpl', [proprietary, named('printk')]),
    load('gpl', named('printk')),
  ),
  make('the name of what has no name', refused('EINVAL'), load('plain', named('kernel'))),
  make(
    'the name of built-in code in modinfo alone',
    loads('OE'),
    load('plain', [modinfo('name', 'printk')]),
  ),
  make('no name at all', refused('EINVAL'), load('plain', named(''))),
  make('no name in modinfo', loads('OE'), load('plain', [modinfo('name')])),
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
    load('gpl', [modinfo('name', 'fam_plain')]),
  ),
  make(
    'already there, and would taint',
    refused('EEXIST'),
    load('plain'),
    load('plain', [proprietary, modinfo('staging', 'Y')]),
  ),
];
