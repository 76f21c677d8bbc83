/** Real modules that show a sign, and for each an honest one like it that must not. */
import {
  append,
  flipped,
  setModinfoEntries,
  modinfoBy,
  modinfoLast,
  setNames,
  onHeader,
  resign,
  section,
  shortenSection,
  makeSignature,
  structName,
  unused,
  viaLivepatch,
  type Edit,
} from '../../../../../testing/oracle/edits.ts';
import { junk, unknownSerial } from '../../core/family/signatures.ts';
import { codeByte, proprietary, signedBase } from '../../core/family/steps.ts';

export interface Subject {
  /** A built module, or Debian's own signed one. */
  readonly base: string;
  readonly edits: readonly Edit[];
  /** The name of the file, without `.ko`; by default the base's. */
  readonly fileName?: string;
  /** Put into a package that states this license. */
  readonly packaged?: string;
  /** Whether the names that `strip --strip-unneeded` removes are missing. */
  readonly stripped?: true;
  /** Signed with a key that is given to the survey, or with one that nobody knows, by its own name or the kernel's. */
  readonly signed?: 'given' | 'unknown' | 'imitator';
  /** Compared with this source: its own, with a file changed, or with words of a closed license. */
  readonly source?: 'own' | 'changed' | 'closed';
}

export interface EvidenceCase {
  readonly name: string;
  /** `weight sign`. */
  readonly shows: string;
  readonly subject: Subject;
  readonly honest: Subject;
}

const stripped = { stripped: true } as const;
type More = Omit<Subject, 'base' | 'edits'>;
const built = (name: string, edits: readonly Edit[] = [], more: More = {}): Subject => ({
  base: `ev_${name}`,
  edits,
  ...more,
});
const signedOne = (edits: readonly Edit[] = [], more: More = {}): Subject => ({
  base: signedBase,
  edits,
  ...more,
});
const make = (
  name: string,
  shows: string,
  subject: Subject,
  honest: Subject = built('honest'),
): EvidenceCase => ({ name, shows, subject, honest });

const livepatch = [
  setModinfoEntries('livepatch', 'Y'),
  viaLivepatch('.rela.text', '.text', 'synchronize_rcu'),
];
const otherRelease = (vermagic: string) => vermagic.replace(/^\S+/, '6.1.0-1-amd64');
const afterName = 80;
const byteSet = section('.gnu.linkonce.this_module', ({ data }) => void (data[afterName + 40] = 1));

/** Changes `.comment` as if part of the module were Rust. */
const rustToo = section('.comment', (comment) => {
  const more = Buffer.from('rustc version 1.85.0 (4d91de4e4 2025-02-17)\0');
  comment.data = new Uint8Array(Buffer.concat([comment.data, more]));
  comment.size = comment.data.length;
});

const licenses: readonly EvidenceCase[] = [
  make('a license that is cut off by a NUL', 'proof license-nul', built('nul')),
  make('… and goes on with an "="', 'proof license-nul', built('nul_equals')),
  make('… and looks like another entry', 'proof license-nul', built('nul_tag')),
  make(
    '… after its name was removed',
    'lead closed-modinfo-words',
    built('nul_tag', [], stripped),
    built('honest', [], stripped),
  ),
  make('a NUL in another text', 'lead modinfo-fragment', built('fragment')),
  make('two objects of two licenses', 'proof licenses-contradict', built('mixed')),
  make(
    'two licenses that go together',
    'note licenses-mixed',
    built('honest', [
      setModinfoEntries('license', 'GPL', 'MIT', 'GPL-2.0-or-later', 'Public Domain'),
    ]),
    built('honest', [setModinfoEntries('license', 'GPL', 'Dual BSD/GPL')]),
  ),
  make(
    'two licenses of which one may not go together with the GPL',
    'lead licenses-mixed',
    built('honest', [setModinfoEntries('license', 'GPL', 'All rights reserved')]),
    built('honest', [setModinfoEntries('license', 'GPL', 'Dual BSD/GPL')]),
  ),
  make(
    'two licenses of which one is a secret',
    'proof licenses-contradict',
    built('honest', [setModinfoEntries('license', 'GPL', 'ACME NDA')]),
    built('honest', [setModinfoEntries('license', 'GPL', 'MIT')]),
  ),
  make(
    'several licenses, of which the kernel reads a closed one',
    'note licenses-mixed',
    built('honest', [setModinfoEntries('license', 'CDDL', 'Dual BSD/GPL')]),
    built('honest', [setModinfoEntries('license', 'CDDL')]),
  ),
  make('no license', 'lead license-missing', built('honest', [setModinfoEntries('license')])),
  make(
    'a closed license, and GPL-only symbols',
    'lead gpl-only-without-gpl',
    built('shim', [proprietary]),
    built('table', [proprietary]),
  ),
  make('words of a closed license', 'lead closed-license-words', built('words'), built('phrases')),
  make('… and not a word of it alone', 'lead closed-license-words', built('words'), built('wiped')),
  make(
    '… that nobody may pass on',
    'lead closed-license-words',
    built('prohibited'),
    built('phrases'),
  ),
  make(
    'a description that speaks of a closed license',
    'lead closed-modinfo-words',
    built('terms'),
    built('phrases'),
  ),
  make(
    '… in the text of a parameter, and an author',
    'lead closed-modinfo-words',
    built('parameter'),
    built('phrases'),
  ),
  make(
    '… of a module that does not claim the GPL',
    'note closed-modinfo-words',
    built('terms', [proprietary]),
    built('phrases'),
  ),
  make(
    'words that closed licenses use as well',
    'note closed-modinfo-words',
    built('wiped'),
    built('honest'),
  ),
  make(
    'words of a closed license in its source',
    'lead source-closed-terms',
    built('honest', [], { source: 'closed' }),
    built('honest', [], { source: 'own' }),
  ),
  make(
    'a package under terms that are closed by their name',
    'lead package-doubtful',
    built('honest', [], { packaged: 'ACME-EULA' }),
    built('honest', [], { packaged: 'ACME' }),
  ),
  ...['CC-BY-NC-ND-4.0', 'BUSL-1.1', 'Apache-2.0'].map((packaged) =>
    make(
      `a package under ${packaged} only`,
      'lead package-doubtful',
      built('honest', [], { packaged }),
      built('honest', [], { packaged: `${packaged} or GPL-2` }),
    ),
  ),
  make(
    'a package under a license that excludes the GPL 2',
    'proof package-contradicts',
    built('honest', [], { packaged: 'GPL-3' }),
    built('honest', [], { packaged: 'GPL-2+' }),
  ),
  make(
    'a package that says the same',
    'support package-agrees',
    built('honest', [], { packaged: 'GPL-2+' }),
    built('honest', [], { packaged: 'GPL-3' }),
  ),
];

const names: readonly EvidenceCase[] = [
  make('another name in the structure', 'proof name-differs', built('honest', [structName('ev')])),
  make(
    'another name of the file',
    'lead file-name-differs',
    built('honest', [], { fileName: 'better' }),
    built('honest', [], { fileName: 'ev-honest' }),
  ),
  make('the structure filled in', 'proof struct-module-filled', built('honest', [byteSet])),
  make(
    'a header that hides the file',
    'proof read-otherwise',
    built('honest', [onHeader((header) => header.setUint8(4, 1))]),
  ),
  make(
    'a license that goes on behind its section',
    'proof read-otherwise',
    built('honest', [modinfoLast('license', 'GPL, and not'), shortenSection('.modinfo', 10)]),
    built('honest', [modinfoLast('license', 'GPL')]),
  ),
  make(
    'a .modinfo that is marked unused',
    'proof read-otherwise',
    built('honest', [unused('.modinfo')]),
  ),
  make('a name that the kernel distrusts', 'proof known-case', built('honest', setNames('lve'))),
  make('a name that is known', 'lead known-name', built('honest', setNames('kmodlve'))),
  make('a loader of drivers', 'note loads-proprietary', built('honest', setNames('ndiswrapper'))),
];

const code: readonly EvidenceCase[] = [
  make('an object compiled elsewhere', 'lead foreign-objects', built('blob')),
  make('… by the compiler of the kernel', 'lead foreign-objects', built('blob_same')),
  make('… without unwind tables', 'lead foreign-objects', built('blob_quiet'), built('keep')),
  make('… with the kernel’s returns', 'lead foreign-objects', built('blob_padless')),
  make(
    '… of a module that does not claim the GPL',
    'note foreign-objects',
    built('blob', [proprietary]),
    built('honest', [rustToo]),
  ),
  make('a program in its data', 'lead embedded-elf', built('elf'), built('dense')),
  make('data linked in', 'lead binary-data', built('binary'), built('dense')),
  make('data that looks encrypted', 'lead dense-data', built('dense'), built('table')),
  make('… in pieces', 'lead dense-data', built('pieces'), built('table')),
  make(
    '… without names',
    'lead dense-data',
    built('dense', [], stripped),
    built('table', [], stripped),
  ),
  make('functions that pass on', 'lead gpl-shim', built('shim'), built('helper')),
  make('pointers that pass on', 'lead gpl-shim', built('pointers'), built('helper')),
  make('… that write to the log, among others', 'lead gpl-shim', built('logged'), built('helper')),
  make('a table that passes on', 'lead gpl-shim', built('getter'), built('helper')),
  make('… to the table of the caller', 'lead gpl-shim', built('binder'), built('manager')),
  make('… by number', 'lead gpl-shim', built('dispatcher'), built('manager')),
  make('… addresses by number', 'lead gpl-shim', built('chooser'), built('manager')),
  make('… by a table filled at the start', 'lead gpl-shim', built('filled'), built('manager')),
  ...['shim', 'binder', 'dispatcher', 'filled'].map((name) =>
    make(
      `… without names: ${name}`,
      'lead gpl-shim',
      built(name, [], stripped),
      built('manager', [], stripped),
    ),
  ),
  make('a probe that looks symbols up', 'lead unexported-symbols', built('reach'), built('probe')),
  make('… whose words are dropped', 'lead unexported-symbols', built('reach_init'), built('probe')),
  make(
    'livepatch relocations under a closed license',
    'proof livepatch-bypass',
    built('shim', [proprietary, ...livepatch]),
    built('shim', livepatch),
  ),
  make(
    'livepatch relocations',
    'lead livepatch-symbols',
    built('shim', livepatch),
    built('shim', [setModinfoEntries('livepatch', 'Y')]),
  ),
];

const origins: readonly EvidenceCase[] = [
  make(
    'part of the kernel tree by its own words',
    'proof intree-unsigned',
    built('honest', [setModinfoEntries('intree', 'Y')]),
    signedOne(),
  ),
  make(
    'part of the tree, with a signature that nobody knows',
    'proof intree-unsigned',
    signedOne([resign(unknownSerial)]),
    signedOne(),
  ),
  make(
    'part of the tree of another kernel',
    'lead intree-elsewhere',
    built('honest', [setModinfoEntries('intree', 'Y'), modinfoBy('vermagic', otherRelease)]),
    signedOne(),
  ),
  make('a signature of the kernel', 'support signed-by-kernel', signedOne()),
  make(
    'a signature with a given key',
    'support signed-by-given',
    built('honest', [], { signed: 'given' }),
  ),
  make('a byte changed after signing', 'proof signature-bad', signedOne([flipped(codeByte)])),
  make(
    'junk for a signature',
    'lead signature-malformed',
    built('honest', [append(makeSignature(junk))]),
    built('honest', [], { signed: 'given' }),
  ),
  make(
    'a signature with a key that nobody has',
    'note signature-unknown-key',
    built('honest', [], { signed: 'unknown' }),
    built('honest', [], { signed: 'given' }),
  ),
  make(
    'a signature in the name of the kernel’s build',
    'lead key-name-borrowed',
    built('honest', [], { signed: 'imitator' }),
    built('honest', [], { signed: 'unknown' }),
  ),
  make(
    'a signature of another type',
    'note signature-unsupported',
    built('honest', [append(makeSignature(junk, { type: 1 }))]),
    built('honest', [], { signed: 'given' }),
  ),
  make(
    'its own source',
    'support source-consistent',
    built('honest', [], { source: 'own' }),
    built('honest', [], { source: 'changed' }),
  ),
  make(
    'source with a byte changed',
    'proof source-differs',
    built('honest', [], { source: 'changed' }),
    built('honest', [], { source: 'own' }),
  ),
  make(
    'source, and no srcversion to compare with',
    'note source-undecided',
    built('table', [], { source: 'own' }),
    built('honest', [], { source: 'own' }),
  ),
];

export const cases: readonly EvidenceCase[] = [...licenses, ...names, ...code, ...origins];
