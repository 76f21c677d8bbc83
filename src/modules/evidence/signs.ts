/**
 * The signs that are looked for, one function each: what was found, or nothing.
 *
 * Weights were chosen by measurement: a sign that any module of Debian's kernels shows is no proof.
 */
import { isCompatibleLicence } from '../loader/licences.ts';
import {
  importsOf,
  infoName,
  modinfo,
  modinfoAll,
  type DeepObservations,
  type KernelModule,
  type ModinfoEntry,
  plainName,
} from '../module.ts';
import { gpl2Standing } from '../packages/claims.ts';
import type { Evidence } from '../standing.ts';
import type { StandingContext } from './context.ts';
import { knownCases, ndiswrapper } from './known-cases.ts';

type Weight = Evidence['weight'];
type Sign = (module: KernelModule, context: StandingContext) => Evidence | undefined;

const quote = (text: string) => JSON.stringify(text);
const list = (names: readonly string[], most = 5) =>
  names.slice(0, most).join(', ') + (names.length > most ? ` and ${names.length - most} more` : '');

const when = (found: boolean, sign: string, weight: Weight, says: () => string) =>
  found ? { sign, weight, says: says() } : undefined;

const claimsGpl = (module: KernelModule) => isCompatibleLicence(modinfo(module, 'license') ?? '');

/** A build writes words for tags: anything else is the rest of a text that a NUL cut off. */
const isFragment = (entry: ModinfoEntry | undefined): entry is ModinfoEntry =>
  entry !== undefined && !/^[\w.:-]+$/.test(entry.tag);
const wholeText = ({ tag, value }: ModinfoEntry) => (tag === '' ? value : `${tag}=${value}`);

const licenceNul: Sign = ({ modinfo: entries }) => {
  const at = entries.findIndex(
    (entry, index) => isFragment(entry) && entries[index - 1]?.tag === 'license',
  );
  const [licence, rest] = [entries[at - 1], entries[at]];
  return when(at > 0, 'licence-nul', 'proof', () => {
    return `Its licence is cut off by a NUL: the kernel reads ${quote(licence?.value ?? '')}, what follows is ${quote(rest === undefined ? '' : wholeText(rest))}`;
  });
};

const modinfoFragment: Sign = ({ modinfo: entries }) => {
  const odd = entries.filter(
    (entry, at) => isFragment(entry) && entries[at - 1]?.tag !== 'license',
  );
  return when(odd.length > 0, 'modinfo-fragment', 'lead', () => {
    return `.modinfo has text that no build writes: ${list(odd.map((each) => quote(wholeText(each))))}`;
  });
};

/** Objects under "BSD" and "GPL" go together, whatever the kernel makes of the word "BSD" alone. */
const mixedLicences: Sign = (module) => {
  const licences = modinfoAll(module, 'license');
  const others = licences.filter((each) => !isCompatibleLicence(each));
  if (others.length === 0 || others.length === licences.length) return undefined;
  const all = list(licences.map(quote));
  if (others.every((each) => gpl2Standing(each) === 'allowed')) {
    const says = `It states licences of which the kernel takes some for the GPL and some not: ${all}; it reads the first`;
    return { sign: 'licences-mixed', weight: 'lead', says };
  }
  const says = `It states licences that contradict each other: ${all}; the kernel reads the first`;
  return { sign: 'licences-contradict', weight: 'proof', says };
};

const licenceMissing: Sign = (module) =>
  when(modinfo(module, 'license') === undefined, 'licence-missing', 'lead', () => {
    return 'It states no licence, which no build lets pass';
  });

const nameDiffers: Sign = (module) => {
  const [info, struct] = [modinfo(module, 'name'), module.structName];
  const differ = info !== undefined && struct !== undefined && info !== struct;
  return when(differ, 'name-differs', 'proof', () => {
    return `It has two names: ${quote(info ?? '')} in .modinfo, ${quote(struct ?? '')} in struct module; a build writes the same`;
  });
};

const fileNameDiffers: Sign = (module, { fileName }) => {
  const name = infoName(module);
  const differs = name !== undefined && plainName(fileName) !== plainName(name);
  return when(differs, 'file-name-differs', 'lead', () => {
    return `The file is called ${quote(fileName)}, the module ${quote(name ?? '')}`;
  });
};

const structBytes: Sign = ({ structExtraBytes }) =>
  when(structExtraBytes > 0, 'struct-module-filled', 'proof', () => {
    return `Its struct module has ${structExtraBytes} byte${structExtraBytes === 1 ? '' : 's'} set beside the name, which a build leaves zero`;
  });

/** A live patch of the distribution is signed; whoever else binds symbols so goes around the export table. */
const livepatch: Sign = (module, { signature }) => {
  const symbols = module.observations.livepatchSymbols;
  if (symbols.length === 0) return undefined;
  const says = `It binds symbols by livepatch relocations, past the export table and every licence check: ${list(symbols)}`;
  if (!claimsGpl(module)) return { sign: 'livepatch-bypass', weight: 'proof', says };
  const weight = signature.outcome === 'good' ? 'note' : 'lead';
  return { sign: 'livepatch-symbols', weight, says };
};

const packageClaim: Sign = (_, { packageClaim: claim }) => {
  if (claim === undefined || claim.outcome === 'cannot tell') return undefined;
  return claim.outcome === 'agrees'
    ? { sign: 'package-agrees', weight: 'support', says: claim.says }
    : { sign: 'package-contradicts', weight: 'proof', says: claim.says };
};

/** By chance a few functions of a large module end in the byte of a return: one in eight, measured. */
const returnsPlainly = (module: KernelModule, { functions, plainReturns }: DeepObservations) =>
  plainReturns >= 3 &&
  plainReturns > functions / 4 &&
  // Without a mitigation that needs the thunk, no function of the kernel returns by it.
  importsOf(module).some(({ name }) => name === '__x86_return_thunk');

/** Objects that came ready-made show by their compiler: one such sign is a lead, two agree. */
const foreignObjects: Sign = (module) => {
  const { compilers, hasEhFrame, deep } = module.observations;
  const distinct = [...new Set(compilers)];
  const plain = deep !== undefined && returnsPlainly(module, deep);
  const signs = [
    distinct.length > 1 && `compilers differ (${list(distinct)})`,
    hasEhFrame && module.machine === 62 && 'it has .eh_frame, which kernel builds switch off',
    plain &&
      `${deep.plainReturns} of ${deep.functions} functions return without the kernel's thunk`,
  ].filter((each) => each !== false);
  return when(signs.length > 0, 'foreign-objects', signs.length > 1 ? 'proof' : 'lead', () => {
    return `Not all of it was compiled in one build: ${signs.join('; ')}`;
  });
};

const binaryObjects: Sign = ({ observations: { binarySymbols } }) =>
  when(binarySymbols.length > 0, 'binary-data', 'lead', () => {
    return `Data was linked in with objcopy: ${list(binarySymbols)}`;
  });

const denseObjects: Sign = ({ observations: { deep } }) =>
  when((deep?.denseObjects.length ?? 0) > 0, 'dense-data', 'lead', () => {
    return `Large data that looks compressed or encrypted: ${list(deep?.denseObjects.map((each) => each.name) ?? [])}`;
  });

/** Only where most of what it offers is passed on: single wrappers are everyday. */
const shim: Sign = (module, { gplOnly }) => {
  const wrappers = (module.observations.deep?.wrappers ?? []).filter(([, to]) =>
    gplOnly.includes(to),
  );
  const plain = module.exports.filter((each) => !each.gplOnly).length;
  const passing = new Set(wrappers.map(([exported]) => exported)).size;
  return when(passing > 0 && passing >= plain / 2, 'gpl-shim', 'lead', () => {
    const pairs = wrappers.map(([exported, gplOnly]) => `${exported} → ${gplOnly}`);
    return `Most of its exports only pass GPL-only symbols on, to modules that could not use them: ${list(pairs)}`;
  });
};

const lookups = new Set([
  'kallsyms_lookup_name',
  'kallsyms_on_each_symbol',
  'register_kprobe',
  'register_kretprobe',
]);

const unexported: Sign = (module) => {
  const imported = importsOf(module).flatMap(({ name }) => (lookups.has(name) ? [name] : []));
  const named = module.observations.strings.filter((each) => /kallsyms|sys_call_table/.test(each));
  const all = [...imported, ...named.map(quote)];
  return when(
    named.length > 0 || all.includes('kallsyms_lookup_name'),
    'unexported-symbols',
    'lead',
    () => {
      return `It can reach symbols that are not exported: it uses ${list(all)}`;
    },
  );
};

const closedWords: Sign = ({ observations: { strings } }) => {
  const words = strings.filter((each) => !/kallsyms|sys_call_table/.test(each));
  return when(words.length > 0, 'closed-licence-words', 'lead', () => {
    return `Its data has words of a closed licence: ${list(words.map(quote))}`;
  });
};

/** A module of another release may well be of that kernel's tree; then its own kernel would have to tell. */
const intree: Sign = (module, { release, buildSigns, signature }) => {
  const claimed = modinfo(module, 'intree') !== undefined;
  const unsigned = signature.outcome !== 'good' || signature.trustedBy !== 'kernel';
  const built = modinfo(module, 'vermagic')?.split(' ')[0] ?? '';
  if (!claimed || !buildSigns || !unsigned) return undefined;
  if (built === release) {
    const says =
      'It claims to be part of the kernel tree (intree), but the build of this kernel signs its modules, and did not sign this one';
    return { sign: 'intree-unsigned', weight: 'proof', says };
  }
  return when(signature.outcome === 'none', 'intree-elsewhere', 'lead', () => {
    return `It claims to be part of the tree of another kernel (${quote(built)}), and is not signed: look at it with that kernel (--kernel)`;
  });
};

const signature: Sign = (_, { signature: { outcome, signer, trustedBy } }) => {
  if (outcome === 'none') return undefined;
  const by = signer === undefined ? '' : ` by ${quote(signer)}`;
  if (outcome === 'good') {
    const key =
      trustedBy === 'kernel' ? 'whose certificate is in the kernel' : 'whose certificate was given';
    const sign = trustedBy === 'kernel' ? 'signed-by-kernel' : 'signed-by-given';
    return { sign, weight: 'support', says: `It is signed${by}, ${key}` };
  }
  const broken = outcome === 'bad' || outcome === 'malformed';
  return {
    sign: `signature-${outcome.replace(' ', '-')}`,
    weight: outcome === 'bad' ? 'proof' : broken ? 'lead' : 'note',
    says: broken
      ? `Its signature does not fit: ${outcome === 'bad' ? 'the file was changed after it was signed' : 'it is malformed'}`
      : `It carries a signature${by} that cannot be verified here: ${outcome}`,
  };
};

const knownCase: Sign = (module) => {
  const found = knownCases.find((each) => each.matches(module));
  return found && { sign: 'known-case', weight: 'proof', says: found.says };
};

const loadsProprietary: Sign = (module) =>
  when(ndiswrapper(module), 'loads-proprietary', 'note', () => {
    return '"ndiswrapper" is GPL, and loads Windows drivers into the kernel';
  });

const gplOnlyWithoutGpl: Sign = (module, { gplOnly }) =>
  when(gplOnly.length > 0 && !claimsGpl(module), 'gpl-only-without-gpl', 'lead', () => {
    return `It is not under the GPL by its own words, and asks for GPL-only symbols: ${list(gplOnly)}`;
  });

const source: Sign = (_, { source: found }) => {
  if (found === undefined) return undefined;
  const weights = {
    reproduced: 'support',
    consistent: 'support',
    differs: 'proof',
    'cannot tell': 'note',
  } as const;
  const sign = `source-${found.outcome.replace(' ', '-')}`;
  return { sign, weight: weights[found.outcome], says: found.says };
};

export const signs: readonly Sign[] = [
  knownCase,
  licenceNul,
  mixedLicences,
  nameDiffers,
  structBytes,
  livepatch,
  packageClaim,
  intree,
  foreignObjects,
  source,
  shim,
  unexported,
  gplOnlyWithoutGpl,
  binaryObjects,
  denseObjects,
  closedWords,
  licenceMissing,
  modinfoFragment,
  fileNameDiffers,
  loadsProprietary,
  signature,
];
