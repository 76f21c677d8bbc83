/** Cases on kernels that were started with other arguments. */
import {
  append,
  flipped,
  setModinfoEntries,
  resign,
  section,
  makeSignature,
  structName,
  truncated,
} from '../../../../../testing/oracle/edits.ts';
import type { Case } from '../../../../../testing/oracle/cases.ts';
import {
  loads,
  refused,
  load,
  loadSigned,
  ignoreVermagic,
  codeByte,
  proprietary,
  make,
} from './steps.ts';
import { junk, unknownSerial } from './signatures.ts';

export interface BootedCases {
  readonly commandLine: string;
  readonly cases: readonly Case[];
}

const unsigned = [
  ['a good signature', loads(''), loadSigned()],
  ['no signature', undefined, load('plain', [proprietary])],
  ['a flag to force', undefined, loadSigned([], ignoreVermagic)],
  ['another type of signature', undefined, loadSigned([resign((message) => message, { type: 1 })])],
  ['a key that nobody has', undefined, loadSigned([resign(unknownSerial)])],
  ['a bad signature', refused('EKEYREJECTED'), loadSigned([flipped(codeByte)])],
  ['no signature and no ELF file', undefined, load('plain', [truncated(63)])],
  ['junk for a signature', refused('EBADMSG'), load('plain', [append(makeSignature(junk))])],
] as const;
const unsignedCases = (errno: string): Case[] =>
  unsigned.map(([name, expect, step]) => make(name, expect ?? refused(errno), step));

export const bootedCases: readonly BootedCases[] = [
  {
    commandLine: 'module_blacklist=other,fam_plain,fam_gp',
    cases: [
      make('a blacklisted module', refused('EPERM'), load('plain', [proprietary])),
      make('a longer name', loads('OE'), load('gpl')),
      make(
        'the name in modinfo counts',
        refused('EPERM'),
        load('gpl', [setModinfoEntries('name', 'fam_plain')]),
      ),
      make(
        'the name in the structure does not',
        loads('OE'),
        load('gpl', [structName('fam_plain')]),
      ),
      make(
        'the structure counts where modinfo has no name',
        refused('EPERM'),
        load('plain', [setModinfoEntries('name')]),
      ),
      make(
        'a dash is not an underscore',
        loads('OE'),
        load('plain', [setModinfoEntries('name', 'fam-plain')]),
      ),
      make(
        'a blacklisted module with a wrong vermagic',
        refused('EPERM'),
        load('plain', [setModinfoEntries('vermagic', 'none')]),
      ),
      make(
        'a blacklisted module with a bad signature',
        refused('EBADMSG'),
        load('plain', [append(makeSignature(junk))]),
      ),
      make(
        'a blacklisted module without symbols',
        refused('ENOEXEC'),
        load('plain', [section('.symtab', (each) => void (each.type = 1))]),
      ),
    ],
  },
  { commandLine: 'module.sig_enforce=1', cases: unsignedCases('EKEYREJECTED') },
  { commandLine: 'lockdown=integrity', cases: unsignedCases('EPERM') },
  { commandLine: 'lockdown=confidentiality', cases: unsignedCases('EPERM') },
];
