/** Evidence in a module's code and data, apart from its own claims. */
import { machines } from '../elf/elf-format.ts';
import { importsOf, type DeepObservations, type KernelModule } from '../record/module.ts';
import { listSome } from '../../../base/list.ts';
import { claimsGpl, quoteShortened, when, type Check } from './check.ts';

/**
 * Whether the module returns without the thunk. By chance one in eight functions of a large module
 * end in the byte of a return, measured.
 */
const returnsPlainly = (module: KernelModule, { functions, plainReturns }: DeepObservations) =>
  plainReturns >= 3 &&
  plainReturns > functions / 4 &&
  // Without a mitigation that needs the thunk, no function of the kernel returns by it.
  importsOf(module).some(({ name }) => name === '__x86_return_thunk');

/**
 * Whether padding is missing. A build with call padding leaves space in front of each function that
 * it compiles, and objtool names it. Assembly may have none: up to half of the functions of the
 * kernel's own ciphers.
 */
const lacksPadding = ({ functions, padded }: DeepObservations) =>
  padded > 0 && functions - padded >= 3 && functions - padded > functions / 2;

/**
 * Returns a text about compilers that do not fit together. A kernel has code of two languages at
 * most, and one compiler for each.
 */
function compilersThatDiffer(compilers: readonly string[]): string | undefined {
  const distinct = [...new Set(compilers)];
  const rust = distinct.filter((each) => each.startsWith('rustc '));
  const differ = rust.length > 1 || distinct.length - rust.length > 1;
  return differ ? `compilers differ (${listSome(distinct)})` : undefined;
}

/**
 * Finds objects that came ready-made, by their compiler and its options. However many such checks
 * agree, they refute no license. The maker of an open module may well compile part of it
 * separately, as NVIDIA does, and hand-written assembly shows some of them too.
 */
export const foreignObjects: Check = (module) => {
  const { compilers, hasEhFrame, deep } = module.observations;
  const ofFunctions = (count: number, which: string) =>
    `${count} of ${deep?.functions ?? 0} functions ${which}`;
  const checks = [
    compilersThatDiffer(compilers),
    hasEhFrame && module.machine === machines.x8664
      ? 'it has .eh_frame, which kernel builds disable'
      : undefined,
    deep && returnsPlainly(module, deep)
      ? ofFunctions(deep.plainReturns, "return without the kernel's thunk")
      : undefined,
    deep && lacksPadding(deep)
      ? ofFunctions(deep.functions - deep.padded, 'lack the padding of this build')
      : undefined,
  ].filter((each) => each !== undefined);
  const weight = claimsGpl(module) ? 'lead' : 'note';
  return when(checks.length > 0, 'foreign-objects', weight, () => {
    return `Not all of it was compiled as this kernel's makefiles do it: ${checks.join('; ')}`;
  });
};

export const binaryObjects: Check = ({ observations: { binarySymbols } }) =>
  when(binarySymbols.length > 0, 'binary-data', 'lead', () => {
    return `Data was linked in with objcopy: ${listSome(binarySymbols)}`;
  });

export const embeddedElf: Check = ({ observations: { embeddedElf: sections } }) =>
  when(sections.length > 0, 'embedded-elf', 'lead', () => {
    return `Its data holds another object or program (ELF), in ${listSome(sections)}`;
  });

/**
 * Finds files that tools read differently from the loader. No build writes such a file, and only
 * the loader's own reading shows what it contains.
 */
export const readOtherwiseCheck: Check = ({ observations: { readOtherwise: found = [] } }) =>
  when(found.length > 0, 'read-otherwise', 'proof', () => found.join('; '));

export const denseObjects: Check = ({ observations: { deep } }) =>
  when((deep?.denseObjects.length ?? 0) > 0, 'dense-data', 'lead', () => {
    return `It has large data that looks compressed or encrypted: ${listSome(deep?.denseObjects.map((each) => each.name) ?? [])}`;
  });

/**
 * Whether the module is a shim. Single wrappers are common: a fifth of the modules with exports in
 * Debian's kernel have one.
 */
const isShim = (passing: number, plain: number): boolean =>
  passing >= plain / 2 || (passing >= 2 && passing >= plain / 4);

export const shim: Check = (module, { gplOnly }) => {
  const passed = Map.groupBy(module.observations.deep?.wrappers ?? [], ([exported]) => exported);
  const wrappers = [...passed.values()].flatMap((pairs) => {
    const closed = pairs.filter(([, to]) => gplOnly.includes(to));
    return closed.length >= pairs.length / 2 ? closed : [];
  });
  const plain = module.exports.filter((each) => !each.gplOnly).length;
  const passing = new Set(wrappers.map(([exported]) => exported)).size;
  return when(passing > 0 && isShim(passing, plain), 'gpl-shim', 'lead', () => {
    const pairs = wrappers.map(([exported, gplOnly]) => `${exported} → ${gplOnly}`);
    return `${passing} of its ${plain} exports only forward GPL-only symbols, to modules that could not use them: ${listSome(pairs)}`;
  });
};

const lookups = new Set([
  'kallsyms_lookup_name',
  'kallsyms_on_each_symbol',
  'register_kprobe',
  'register_kretprobe',
]);

export const unexported: Check = (module) => {
  const imported = importsOf(module).flatMap(({ name }) => (lookups.has(name) ? [name] : []));
  const named = module.observations.strings.filter((each) => /kallsyms|sys_call_table/.test(each));
  const all = [...imported, ...named.map(quoteShortened)];
  return when(
    named.length > 0 || all.includes('kallsyms_lookup_name'),
    'unexported-symbols',
    'lead',
    () => {
      return `It can reach symbols that are not exported: it uses ${listSome(all)}`;
    },
  );
};

/**
 * Finds symbols bound by livepatch relocations. A live patch of the distribution is signed; any
 * other module that does so bypasses the export table.
 */
export const livepatch: Check = (module, { signature }) => {
  const symbols = module.observations.livepatchSymbols;
  if (symbols.length === 0) return undefined;
  const message = `It binds symbols by livepatch relocations, past the export table and every license check: ${listSome(symbols)}`;
  if (!claimsGpl(module)) return { check: 'livepatch-bypass', weight: 'proof', message };
  const weight = signature.outcome === 'good' ? 'note' : 'lead';
  return { check: 'livepatch-symbols', weight, message };
};
