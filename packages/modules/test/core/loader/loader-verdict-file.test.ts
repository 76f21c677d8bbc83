/** The loader's rules for the file, its names, versions and vermagic, over plain modules. */
import { describe } from 'node:test';
import { exportFixture, gplExport, importFixture, vermagicFixture } from '../fixtures.ts';
import { check, defect, lockLine, outOfTreeLine, unsignedLine, type Row } from './loader-rows.ts';

describe('loaderVerdict() decides on the file', () => {
  const rows: readonly Row[] = [
    {
      when: 'the ELF type is another',
      module: { type: 2 },
      errno: 'ENOEXEC',
      messages: ['Invalid ELF header type: 2 != 1'],
    },
    {
      when: 'the machine is another',
      module: { machine: 183 },
      errno: 'ENOEXEC',
      messages: ['Invalid architecture in ELF header: 183'],
    },
    {
      when: 'struct module has another size',
      module: { structBytes: 1024 },
      errno: 'ENOEXEC',
      messages: [
        "module good: .gnu.linkonce.this_module section size must match the kernel's built struct module size at run time",
      ],
    },
    {
      when: 'struct module has another size and there is no name',
      module: { structBytes: 1024, modinfo: [] },
      errno: 'ENOEXEC',
      messages: [
        "module (missing .modinfo section or name field): .gnu.linkonce.this_module section size must match the kernel's built struct module size at run time",
      ],
    },
    {
      when: 'struct module and the symbol table have defects',
      module: { defects: [defect('struct module'), defect('symbol table')] },
      errno: 'ENOEXEC',
      messages: ['line of struct module'],
    },
    {
      when: 'the size of struct module and the symbol table are wrong',
      module: { structBytes: 1024, defects: [defect('symbol table')] },
      errno: 'ENOEXEC',
      messages: [
        "module good: .gnu.linkonce.this_module section size must match the kernel's built struct module size at run time",
      ],
    },
    {
      when: 'a section is writable and executable, before any taint',
      module: { defects: [defect('write and execute')], tags: { intree: undefined } },
      errno: 'ENOEXEC',
      messages: ['line of write and execute'],
    },
    {
      when: 'a section is writable and executable and the kernel is not strict',
      module: { defects: [defect('write and execute')] },
      kernel: { config: { strictModuleRwx: false } },
      messages: [],
    },
    {
      when: 'it has two kinds of constructors, after the taints',
      module: {
        defects: [defect('constructors', { errno: 'EINVAL' })],
        tags: { intree: undefined },
      },
      kernel: { config: { constructors: true } },
      errno: 'EINVAL',
      taints: 'O',
      messages: [outOfTreeLine, 'line of constructors'],
    },
    {
      when: 'it has two kinds of constructors and the kernel runs none',
      module: { defects: [defect('constructors', { errno: 'EINVAL' })] },
      messages: [],
    },
    {
      when: 'a symbol is unknown and a relocation is refused',
      module: { defects: [defect('relocations')], symbols: [importFixture('no_such')] },
      errno: 'ENOENT',
      messages: ['good: Unknown symbol no_such (err -2)'],
    },
    {
      when: 'a relocation is refused',
      module: { defects: [defect('relocations')] },
      errno: 'ENOEXEC',
      messages: ['line of relocations'],
    },
  ];
  for (const row of rows) check(row);
});

describe('loaderVerdict() decides on names, versions and vermagic', () => {
  const otherRelease = '5.4.0-evil SMP preempt mod_unload modversions ';
  const rows: readonly Row[] = [
    {
      when: 'the blacklist has the name in .modinfo',
      module: { name: 'info', structName: 'other' },
      kernel: { settings: { blacklist: ['x', 'info'] } },
      errno: 'EPERM',
      messages: ['Module info is blacklisted'],
    },
    {
      when: 'the blacklist has only the name in struct module',
      module: { name: 'info', structName: 'other' },
      kernel: { settings: { blacklist: ['other'] } },
      messages: [],
    },
    {
      when: 'the blacklist has the name in struct module and .modinfo has none',
      module: { tags: { name: undefined } },
      kernel: { settings: { blacklist: ['good'] } },
      errno: 'EPERM',
      messages: ['Module good is blacklisted'],
    },
    {
      when: 'the blacklist has the name with - in place of _',
      module: { name: 'snd_hda' },
      kernel: { settings: { blacklist: ['snd-hda'] } },
      messages: [],
    },
    {
      when: 'the layout is another',
      module: { layoutCrc: 1 },
      errno: 'ENOEXEC',
      messages: ['good: disagrees about version of symbol module_layout'],
    },
    {
      when: 'the layout has no version',
      module: { layoutCrc: undefined },
      errno: 'ENOEXEC',
      messages: ['good: no symbol version for module_layout'],
    },
    {
      when: 'there are no versions at all',
      module: { hasVersions: false, layoutCrc: undefined, symbols: [importFixture('printk')] },
      taints: 'F',
      messages: ['good: module_layout: kernel tainted.', lockLine],
    },
    {
      when: 'there are no versions at all and nothing loads by force',
      module: { hasVersions: false, layoutCrc: undefined },
      kernel: { config: { forceLoad: false } },
      errno: 'ENOEXEC',
      messages: [],
    },
    {
      when: 'only the release differs and there are versions',
      module: { tags: { vermagic: otherRelease } },
      messages: [],
    },
    {
      when: 'the release differs and there are no versions, after the taint',
      module: { hasVersions: false, tags: { vermagic: otherRelease } },
      errno: 'ENOEXEC',
      taints: 'F',
      messages: [
        'good: module_layout: kernel tainted.',
        lockLine,
        `good: version magic '${otherRelease}' should be '${vermagicFixture}'`,
      ],
    },
    {
      when: 'vermagic lacks its blank at the end',
      module: { tags: { vermagic: vermagicFixture.trimEnd() } },
      errno: 'ENOEXEC',
      messages: [
        `good: version magic '${vermagicFixture.trimEnd()}' should be '${vermagicFixture}'`,
      ],
    },
    {
      when: 'there is no vermagic',
      module: { tags: { vermagic: undefined } },
      taints: 'F',
      messages: ['good: bad vermagic: kernel tainted.', lockLine],
    },
    {
      when: 'there is no vermagic and nothing loads by force',
      module: { tags: { vermagic: undefined } },
      kernel: { config: { forceLoad: false } },
      errno: 'ENOEXEC',
      messages: [],
    },
    {
      when: 'versions and vermagic are ignored',
      options: { force: { vermagic: true, modversions: true } },
      module: { tags: { vermagic: 'nonsense' } },
      taints: 'FE',
      messages: ['good: module_layout: kernel tainted.', lockLine, unsignedLine],
    },
    {
      when: 'a CRC differs, and .modinfo and struct module have different names',
      module: {
        name: 'info',
        structName: 'strukt',
        symbols: [importFixture('printk', { crc: 1 })],
      },
      errno: 'EINVAL',
      messages: [
        'info: disagrees about version of symbol printk',
        'strukt: Unknown symbol printk (err -22)',
      ],
    },
    {
      when: 'it is a live patch and the kernel cannot be patched',
      module: { tags: { livepatch: 'Y' } },
      kernel: { config: { livepatch: false } },
      errno: 'ENOEXEC',
      messages: ['good: module is marked as livepatch module, but livepatch support is disabled'],
    },
    {
      when: 'exports have no versions',
      module: { exportsLackCrcs: true },
      taints: 'F',
      messages: ['good: no versions for exported symbols: kernel tainted.', lockLine],
    },
    {
      when: 'exports have no versions and nothing loads by force',
      module: { exportsLackCrcs: true },
      kernel: { config: { forceLoad: false } },
      errno: 'ENOEXEC',
      messages: [],
    },
    {
      when: 'CRCs differ and the kernel has no modversions',
      module: {
        layoutCrc: 1,
        symbols: [importFixture('printk', { crc: 1 })],
        exportsLackCrcs: true,
      },
      kernel: { config: { modversions: false } },
      messages: [],
    },
    {
      when: 'the kernel has an export of that name',
      module: { exports: [gplExport('synchronize_rcu'), exportFixture('printk')] },
      errno: 'ENOEXEC',
      messages: ['good: exports duplicate symbol printk (owned by kernel)'],
    },
  ];
  for (const row of rows) check(row);
});
