/**
 * Facts about an object file that `trustLevelOf` weighs, cheap enough for every module. Their worth
 * was measured on all modules of a distribution's kernel: see docs/modules.md.
 */
import { bytesAsText } from '../elf/bytes.ts';
import { bindings, sectionIndexes, sectionTypes, type Section } from '../elf/elf-format.ts';
import type { Elf } from '../elf/elf.ts';
import { cutTextsOf } from './cut-texts.ts';
import type { Observations } from './module.ts';
import { SymbolTable } from '../elf/symbol-table.ts';
import { WordSearch } from '../elf/words.ts';

/** The most compilers that are read: no linked object has more. */
const compilersMax = 2 ** 16;
const commentBytesMax = 4 * 2 ** 20;

/** Measures what costs little. Throws `FormatError`. */
export function observe(elf: Elf, symbols: SymbolTable | undefined): Observations {
  return {
    compilers: compilersOf(elf),
    hasEhFrame: elf.section('.eh_frame') !== undefined,
    ...(symbols === undefined ? { livepatchSymbols: [], binarySymbols: [] } : oddSymbols(symbols)),
    strings: tellingStrings(elf),
    embeddedElf: elfInData(elf),
    cutTexts: symbols === undefined ? [] : cutTextsOf(elf, symbols),
    deep: undefined,
  };
}

/**
 * Lists the compilers. `.comment` has a string an object; they are nearly always the same, so they
 * are made once.
 */
function compilersOf(elf: Elf): string[] {
  const section = elf.section('.comment');
  if (section === undefined || section.type === sectionTypes.nobits) return [];
  const bytes = elf.data(section).subarray(0, commentBytesMax);
  const compilers: string[] = [];
  let [last, lastAt, lastLength] = ['', 0, -1];
  for (let at = 0; at < bytes.length && compilers.length < compilersMax;) {
    const nul = bytes.indexOf(0, at);
    const length = (nul < 0 ? bytes.length : nul) - at;
    if (length > 0) {
      if (length !== lastLength || !isSame(bytes, at, lastAt, length)) {
        last = bytesAsText(bytes.subarray(at, at + length));
        [lastAt, lastLength] = [at, length];
      }
      compilers.push(last);
    }
    at += length + 1;
  }
  return compilers;
}

function isSame(bytes: Uint8Array, one: number, other: number, length: number): boolean {
  for (let at = 0; at < length; at++) if (bytes[one + at] !== bytes[other + at]) return false;
  return true;
}

const encoder = new TextEncoder();
const binaryPrefix = encoder.encode('_binary_');

function oddSymbols(
  symbols: SymbolTable,
): Pick<Observations, 'livepatchSymbols' | 'binarySymbols'> {
  const livepatchSymbols: string[] = [];
  const binarySymbols: string[] = [];
  for (let index = 1; index < symbols.count; index++) {
    const section = symbols.section(index);
    if (section === sectionIndexes.livepatch) {
      livepatchSymbols.push(livepatchName(symbols.name(index)));
    } else if (section !== sectionIndexes.undefined && symbols.binding(index) !== bindings.local) {
      if (symbols.nameBegins(index, binaryPrefix)) binarySymbols.push(symbols.name(index));
    }
  }
  return { livepatchSymbols, binarySymbols };
}

/**
 * Returns the livepatch name: `.klp.sym.vmlinux.synchronize_rcu,0` is `vmlinux.synchronize_rcu`.
 */
const livepatchName = (name: string): string =>
  /^\.klp\.sym\.(.+?)(?:,\d+)?$/s.exec(name)?.[1] ?? name;

const suspicious = new WordSearch([
  'kallsyms_lookup_name',
  'sys_call_table',
  '/proc/kallsyms',
  'proprietary and confidential',
  'proprietary & confidential',
  'confidential and proprietary',
  'confidential & proprietary',
  'confidential information of',
  'confidential property',
  'confidential source code',
  'company confidential',
  'strictly confidential',
  'non-disclosure agreement',
  'trade secret',
  'end user license',
  'end user licence',
  'end-user license',
  'end-user licence',
  'license agreement',
  'licence agreement',
  'license key',
  'licence key',
  'redistribution prohibited',
  'redistribution is prohibited',
  'redistribution is strictly',
  'redistribution not permitted',
  'distribution prohibited',
  'unauthorized copying',
  'unauthorized reproduction',
  'unauthorized distribution',
  'unauthorised copying',
  'proprietary software',
  'proprietary licen',
  'proprietary; ',
  'proprietary driver',
  'not reverse engineer',
  'not reverse-engineer',
  'licensed, not sold',
  'no modification permitted',
  'all rights reserved. unauthor',
]);

function tellingStrings(elf: Elf): string[] {
  const found = new Set<string>();
  let budget = elf.view.length;
  for (const section of elf.sections) {
    if (!isText(section)) continue;
    // Sections may overlap in a hostile file: no more is read than a true one can hold.
    budget -= section.size;
    if (budget < 0) break;
    suspicious.find(elf.view.bytes, section.offset, section.offset + section.size, found);
  }
  return [...found];
}

/**
 * The sections where a compiler puts texts, including those dropped once the module has started.
 */
const textSection = /^\.(?:init\.)?(?:ro)?data(?:$|\.(?:str|rel\.ro))/;
const isText = ({ name, type }: Section): boolean =>
  type === sectionTypes.progbits && textSection.test(name);

/** The most beginnings of a header in one section; more are chance, or a trap for the reader. */
const beginningsMax = 2 ** 16;

function elfInData(elf: Elf): string[] {
  let budget = elf.view.length;
  return elf.sections.flatMap((section) => {
    if (!isData(section)) return [];
    budget -= section.size;
    if (budget < 0) return [];
    return holdsElf(elf.data(section)) ? [section.name] : [];
  });
}

const isData = ({ name, type }: Section): boolean =>
  type === sectionTypes.progbits && /^\.(?:init\.)?(?:ro)?data/.test(name);

/** Whether the bytes hold `\x7fELF`, a class, a byte order, and the only version. */
function holdsElf(bytes: Uint8Array): boolean {
  let at = bytes.indexOf(0x7f);
  for (let tried = 0; at >= 0 && tried < beginningsMax; tried++) {
    if (isElfHead(bytes, at)) return true;
    at = bytes.indexOf(0x7f, at + 1);
  }
  return false;
}

const isElfHead = (bytes: Uint8Array, at: number): boolean =>
  bytes[at + 1] === 0x45 &&
  bytes[at + 2] === 0x4c &&
  bytes[at + 3] === 0x46 &&
  (bytes[at + 4] === 1 || bytes[at + 4] === 2) &&
  (bytes[at + 5] === 1 || bytes[at + 5] === 2) &&
  bytes[at + 6] === 1;
