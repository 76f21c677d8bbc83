/** Object files that no compiler writes, and ways to load one. */
import {
  addSection,
  addZeros,
  copySection,
  dirtyPerCpu,
  dirtyTarget,
  hideSection,
  inSection,
  modinfoLast,
  onHeader,
  relocate,
  section,
  setSectionFlags,
  shortenSection,
  truncated,
  unused,
  unusedCopy,
} from '../../../../../testing/oracle/edits.ts';
import type { Case, OracleStep } from '../../../../../testing/oracle/cases.ts';
import { setData } from '../../../../../testing/oracle/object-file.ts';
import { loads, refused, load, copy, insmod, loadSigned, proprietary, make } from './steps.ts';

/** Flags of a section. */
const writeAllocExecute = 7;

export const elf: readonly Case[] = [
  make(
    'no ELF file',
    refused('ENOEXEC'),
    load('plain', [onHeader((header) => header.setUint8(1, 0))]),
  ),
  make(
    'no relocatable file',
    refused('ENOEXEC'),
    load('plain', [onHeader((header) => header.setUint16(16, 3, true))]),
  ),
  make(
    'another machine',
    refused('ENOEXEC'),
    load('plain', [onHeader((header) => header.setUint16(18, 183, true))]),
  ),
  make(
    'section headers of another size',
    refused('ENOEXEC'),
    load('plain', [onHeader((header) => header.setUint16(58, 56, true))]),
  ),
  make(
    'section headers outside the file',
    refused('ENOEXEC'),
    load('plain', [onHeader((header) => header.setUint32(40, 0x7fffff, true))]),
  ),
  make(
    'a table of names that is not there',
    refused('ENOEXEC'),
    load('plain', [onHeader((header) => header.setUint16(62, 999, true))]),
  ),
  make('an empty file', refused('EINVAL'), load('plain', [truncated(0)])),
  make('a file of 63 bytes', refused('ENOEXEC'), load('plain', [truncated(63)])),
  make('half a file', refused('ENOEXEC'), load('plain', [truncated(3000)])),
  make(
    'a section outside the file',
    refused('ENOEXEC'),
    load('plain', [section('.exit.text', (each) => void (each.size = 0x7fffffff))]),
  ),
  make('two .modinfo', refused('ENOEXEC'), load('plain', [copySection('.modinfo')])),
  make(
    'two structures',
    refused('ENOEXEC'),
    load('plain', [copySection('.gnu.linkonce.this_module')]),
  ),
  make(
    'neither structure nor .modinfo',
    refused('ENOEXEC'),
    load('plain', [hideSection('.gnu.linkonce.this_module'), hideSection('.modinfo')]),
  ),
  make(
    'a signed file whose header was changed',
    refused('EKEYREJECTED'),
    loadSigned([onHeader((header) => header.setUint16(58, 56, true))]),
  ),
  make(
    'no structure',
    refused('ENOEXEC'),
    load('plain', [hideSection('.gnu.linkonce.this_module')]),
  ),
  make(
    'a structure without ALLOC',
    refused('ENOEXEC'),
    load('plain', [setSectionFlags('.gnu.linkonce.this_module', 1)]),
  ),
  make(
    'a structure of another size',
    refused('ENOEXEC'),
    load('plain', [
      section('.gnu.linkonce.this_module', (each) => setData(each, each.data.slice(0, 1216))),
    ]),
  ),
  {
    ...make(
      'a structure without bytes',
      refused('ENOEXEC'),
      load('plain', [section('.gnu.linkonce.this_module', (each) => void (each.type = 8))]),
    ),
    from: [6, 4],
  },
  make('two symbol tables', refused('ENOEXEC'), load('plain', [copySection('.symtab')])),
  make(
    'no symbol table',
    refused('ENOEXEC'),
    load('plain', [section('.symtab', (each) => void (each.type = 1))]),
  ),
  make(
    'a symbol table whose names are elsewhere',
    refused('ENOEXEC'),
    load('plain', [section('.symtab', (each) => void (each.link = 900))]),
  ),
  make(
    'a first section that is not empty',
    refused('ENOEXEC'),
    load('plain', [section('', (each) => void (each.size = 1))]),
  ),
  make(
    'a section to write and execute',
    refused('ENOEXEC'),
    load('plain', [setSectionFlags('.exit.text', writeAllocExecute)]),
  ),
  make(
    'a section to write and execute that is not loaded',
    refused('ENOEXEC'),
    load('plain', [setSectionFlags('.comment', 5)]),
  ),
  // Refused with EINVAL by kernels with CONFIG_CONSTRUCTORS, which Debian's is not.
  make(
    '.ctors and .init_array',
    loads('POE'),
    load('plain', [
      proprietary,
      addSection('.ctors', 3, new Uint8Array(8)),
      addSection('.init_array', 3, new Uint8Array(8)),
    ]),
  ),
  make(
    '.init_array alone',
    loads('OE'),
    load('plain', [addSection('.init_array', 3, new Uint8Array(0))]),
  ),
];

const [width, order] = [4, 5];
const stated = (at: number, value: number) => onHeader((header) => header.setUint8(at, value));

/** Files that the kernel reads differently from other readers. */
export const readOtherwise: readonly Case[] = [
  make('a header that says 32 bits', loads('OE'), load('plain', [stated(width, 1)])),
  make('a header without a width', loads('OE'), load('plain', [stated(width, 0)])),
  make(
    'a header that says big-endian',
    loads('POE'),
    load('plain', [proprietary, stated(order, 2)]),
  ),
  make('a header without an order of bytes', loads('OE'), load('plain', [stated(order, 9)])),
  make(
    'a license that goes on behind .modinfo, and is one',
    loads('OE'),
    load('gpl', [modinfoLast('license', 'GPL'), shortenSection('.modinfo', 2)]),
  ),
  make(
    'a license that goes on behind .modinfo, and is none',
    refused('ENOENT'),
    load('gpl', [modinfoLast('license', 'GPLXX'), shortenSection('.modinfo', 3)]),
  ),
  make(
    'a name that goes on behind .modinfo',
    loads('POE'),
    load('plain', [proprietary, modinfoLast('name', 'fam_plain'), shortenSection('.modinfo', 4)]),
  ),
  make(
    'a tag that goes on behind .modinfo',
    loads('E'),
    load('plain', [modinfoLast('intree', 'Y'), shortenSection('.modinfo', 6)]),
  ),
  make('.modinfo of the type NULL', loads('OE'), load('gpl', [unused('.modinfo')])),
  make(
    '.modinfo of the type NULL, and proprietary',
    refused('ENOENT'),
    load('gpl', [proprietary, unused('.modinfo')]),
  ),
  make(
    'a second .modinfo of the type NULL',
    refused('ENOEXEC'),
    load('plain', [unusedCopy('.modinfo')]),
  ),
  make(
    'a second structure of the type NULL',
    refused('ENOEXEC'),
    load('plain', [unusedCopy('.gnu.linkonce.this_module')]),
  ),
  make(
    'a structure of the type NULL',
    loads('OE'),
    load('plain', [unused('.gnu.linkonce.this_module')]),
  ),
  make('.modinfo without ALLOC', loads('OE'), load('plain', [setSectionFlags('.modinfo', 0)])),
  make(
    'names of symbols without a NUL before them',
    loads('OE'),
    load('plain', [inSection('.strtab', (bytes) => void (bytes[0] = 1))]),
  ),
  make(
    'names of symbols of another type',
    refused('ENOEXEC'),
    load('plain', [section('.strtab', (each) => void (each.type = 1))]),
  ),
];

export const memory: readonly Case[] = [
  make(
    '1 MiB of per-CPU data',
    refused('ENOMEM'),
    load('plain', [proprietary, addZeros('.data..percpu', 2 ** 20)]),
  ),
  make(
    '4 KiB of per-CPU data',
    loads('OE'),
    load('plain', [addSection('.data..percpu', 3, new Uint8Array(4096))]),
  ),
  make(
    '3 GiB of zeros',
    refused('ENOMEM'),
    load('plain', [proprietary, addZeros('.bss.large', 3 * 2 ** 30)]),
  ),
  make(
    'a relocation of per-CPU data that is not zero',
    loads('OE'),
    load('gpl', [dirtyPerCpu('synchronize_rcu')]),
  ),
];

export const relocations: readonly Case[] = [
  make(
    'an unknown type of relocation',
    refused('ENOEXEC'),
    load('gpl', [relocate('.rela.rodata', 'synchronize_rcu', { type: 200 })]),
  ),
  make(
    'a relocation of a place that is not zero',
    refused('ENOEXEC'),
    load('gpl', [dirtyTarget('.rela.rodata', '.rodata')]),
  ),
  make(
    'a relocation that does nothing',
    loads('OE'),
    load('gpl', [relocate('.rela.rodata', 'synchronize_rcu', { type: 0 })]),
  ),
  make(
    'a bad relocation, and a license that taints',
    refused('ENOEXEC'),
    load('plain', [proprietary, dirtyTarget('.rela.exit.text', '.exit.text')]),
  ),
  make(
    'a bad relocation comes after the symbols',
    refused('ENOENT'),
    load('gpl', [proprietary, dirtyTarget('.rela.exit.text', '.exit.text')]),
  ),
];

export const ways: readonly Case[] = [
  make('from memory', loads('OE'), copy('plain')),
  make('from memory, signed', loads(''), { ...loadSigned(), do: 'copy' } as OracleStep),
  make('by insmod', loads('POE'), insmod('plain', [proprietary])),
  make('by insmod, twice', refused('EEXIST'), insmod('plain'), insmod('plain')),
  make(
    'modules are disabled',
    refused('EPERM'),
    load('gpl'),
    { do: 'write', path: '/proc/sys/kernel/modules_disabled', text: '1' },
    load('plain', [proprietary]),
  ),
  make(
    'modules are disabled for what is not a module',
    refused('EPERM'),
    { do: 'write', path: '/proc/sys/kernel/modules_disabled', text: '1' },
    load('plain', [truncated(0)]),
  ),
];
