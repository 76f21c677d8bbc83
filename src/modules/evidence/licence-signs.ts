/** What a module says of its licence, and what speaks against it. */
import { isCompatibleLicence } from '../loader/licences.ts';
import {
  modinfo,
  modinfoAll,
  type CutText,
  type KernelModule,
  type ModinfoEntry,
} from '../module.ts';
import { gpl2Standing } from '../packages/claims.ts';
import { claimsGpl, list, quote, when, type Sign } from './sign.ts';

/** A build writes words for tags: anything else is the rest of a text that a NUL cut off. */
const isFragment = (entry: ModinfoEntry | undefined): entry is ModinfoEntry =>
  entry !== undefined && !/^[\w.:-]+$/.test(entry.tag);
const wholeText = ({ tag, value }: ModinfoEntry) => (tag === '' ? value : `${tag}=${value}`);

/** What tools show: whoever wrote several of these as one text has hidden nothing. */
const shownTags =
  /^(?:alias|author|depends|description|file|firmware|import_ns|intree|license|name|parm|parmtype|softdep|srcversion|vermagic|version|weakdep)=/;
const hiddenIn = ({ rest }: CutText) => rest.filter((each) => !shownTags.test(each));

const licenceTag = 'license=';

/** What stands behind the NUL in the licence that the kernel reads. */
function hiddenRest({ modinfo: entries, observations }: KernelModule): string | undefined {
  const read = entries.findIndex((each) => each.tag === 'license');
  const follower = entries[read + 1];
  if (read >= 0 && isFragment(follower)) return wholeText(follower);
  const claimed = `${licenceTag}${entries[read]?.value}`;
  return observations.cutTexts.flatMap((each) => (each.read === claimed ? hiddenIn(each) : []))[0];
}

export const licenceNul: Sign = (module) => {
  const rest = hiddenRest(module);
  const weight = claimsGpl(module) ? 'proof' : 'lead';
  return when(rest !== undefined, 'licence-nul', weight, () => {
    const read = quote(modinfo(module, 'license') ?? '');
    return `Its licence is cut off by a NUL: the kernel reads ${read}, what follows is ${quote(rest ?? '')}`;
  });
};

export const modinfoFragment: Sign = (module) => {
  const { modinfo: entries, observations } = module;
  const licence = hiddenRest(module);
  const odd = entries.filter(isFragment).map(wholeText);
  const all = new Set([...odd, ...observations.cutTexts.flatMap(hiddenIn)]);
  if (licence !== undefined) all.delete(licence);
  return when(all.size > 0, 'modinfo-fragment', 'lead', () => {
    return `.modinfo has text that no build writes: ${list([...all].map(quote))}`;
  });
};

/**
 * Only what the kernel reads is a claim: whoever states CDDL first, and beside it the GPL of a part, claims nothing
 * falsely. Objects under "BSD" and "GPL" go together, whatever the kernel makes of the word "BSD" alone.
 */
export const mixedLicences: Sign = (module) => {
  const licences = modinfoAll(module, 'license');
  const others = licences.filter((each) => !isCompatibleLicence(each));
  if (others.length === 0 || others.length === licences.length) return undefined;
  const all = list(licences.map(quote));
  if (!claimsGpl(module)) {
    const says = `It states several licences: ${all}; the kernel reads the first, which it does not take for the GPL`;
    return { sign: 'licences-mixed', weight: 'note', says };
  }
  if (others.some((each) => gpl2Standing(each) === 'excluded')) {
    const says = `It states licences that contradict each other: ${all}; the kernel reads the first`;
    return { sign: 'licences-contradict', weight: 'proof', says };
  }
  const says = `It states licences of which the kernel takes some for the GPL and some not: ${all}; it reads the first`;
  return { sign: 'licences-mixed', weight: 'lead', says };
};

export const licenceMissing: Sign = (module) =>
  when(modinfo(module, 'license') === undefined, 'licence-missing', 'lead', () => {
    return 'It states no licence, which no build lets pass';
  });

export const packageClaim: Sign = (_, { packageClaim: claim }) => {
  switch (claim?.outcome) {
    case 'agrees':
      return { sign: 'package-agrees', weight: 'support', says: claim.says };
    case 'contradicts':
      return { sign: 'package-contradicts', weight: 'proof', says: claim.says };
    case 'doubtful':
      return { sign: 'package-doubtful', weight: 'lead', says: claim.says };
    case 'cannot tell':
    case undefined:
      return undefined;
  }
};

export const closedWords: Sign = ({ observations: { strings } }) => {
  const words = strings.filter((each) => !/kallsyms|sys_call_table/.test(each));
  return when(words.length > 0, 'closed-licence-words', 'lead', () => {
    return `Its data has words of a closed licence: ${list(words.map(quote))}`;
  });
};

export const gplOnlyWithoutGpl: Sign = (module, { gplOnly }) =>
  when(gplOnly.length > 0 && !claimsGpl(module), 'gpl-only-without-gpl', 'lead', () => {
    return `It is not under the GPL by its own words, and asks for GPL-only symbols: ${list(gplOnly)}`;
  });

export const sourceTerms: Sign = (_, { source }) => {
  const { closedTerms = [] } = source ?? {};
  return when(closedTerms.length > 0, 'source-closed-terms', 'lead', () => {
    return `Its source has words of a closed licence: ${list(closedTerms)}`;
  });
};
