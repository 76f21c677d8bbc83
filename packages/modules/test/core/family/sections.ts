/** Sections of one name: those that are loaded have a file each in sysfs. */
import { addSection, copySection, type Edit } from '../../../../../testing/oracle/edits.ts';
import type { Case } from '../../../../../testing/oracle/cases.ts';
import { loads, refused, load, make } from './steps.ts';

const fourBytes = Uint8Array.of(1, 2, 3, 4);
const twice = (name: string, flags: number, data = fourBytes) => [
  addSection(name, flags, data),
  addSection(name, flags, data),
];
/** Kernels before 6.12 go on after such an error. */
const duplicate = (name: string, edits: readonly Edit[]): Case => ({
  ...make(name, refused('EEXIST'), load('plain', edits)),
  before: { release: [6, 12], expect: loads('OE') },
});

export const sectionsOfOneName: readonly Case[] = [
  duplicate('two loaded sections of one name', twice('.twice', 2)),
  duplicate('two writable sections of one name', twice('.data.twice', 3)),
  duplicate('two of three sections of one name are loaded', [
    addSection('.twice', 0, fourBytes),
    ...twice('.twice', 2),
  ]),
  duplicate('two .init.text', [copySection('.init.text')]),
  duplicate('two notes of one name', [copySection('.note.Linux')]),
  duplicate('two __ksymtab_strings', twice('__ksymtab_strings', 2)),
  duplicate('a loaded section named as the table of symbols', [
    addSection('.symtab', 2, fourBytes),
  ]),
  duplicate('a loaded section named as the names of symbols', [
    addSection('.strtab', 2, fourBytes),
  ]),
  make(
    'two empty sections of one name',
    loads('OE'),
    load('plain', twice('.twice', 2, new Uint8Array(0))),
  ),
  make('two sections of one name that are not loaded', loads('OE'), load('plain', twice('.t', 0))),
  make(
    'one of two sections of one name is loaded',
    loads('OE'),
    load('plain', [addSection('.twice', 2, fourBytes), addSection('.twice', 0, fourBytes)]),
  ),
  make('two tables of versions', loads('OE'), load('plain', [copySection('__versions')])),
  make(
    'two sections of per-CPU data',
    loads('OE'),
    load('plain', twice('.data..percpu', 3, new Uint8Array(64))),
  ),
];
