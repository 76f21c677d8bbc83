/** Checks of a module's license claim, and of what contradicts it. */
import { isCompatibleLicense } from '../loader/licenses.ts';
import {
  modinfo,
  modinfoAll,
  type CutText,
  type KernelModule,
  type ModinfoEntry,
} from '../record/module.ts';
import { gpl2Terms } from '../packages/claims.ts';
import { listSome } from '../../../base/list.ts';
import { claimsGpl, quoteShortened, when, type Check } from './check.ts';
import { closedIn } from './modinfo-terms.ts';

/** Whether the entry is the rest of a text that a NUL cut off: a build writes words as tags. */
const isFragment = (entry: ModinfoEntry | undefined): entry is ModinfoEntry =>
  entry !== undefined && !/^[\w.:-]+$/.test(entry.tag);
const wholeText = ({ tag, value }: ModinfoEntry) => (tag === '' ? value : `${tag}=${value}`);

/** Tags that tools show: several of these in one text hide nothing. */
const shownTags =
  /^(?:alias|author|depends|description|file|firmware|import_ns|intree|license|name|parm|parmtype|softdep|srcversion|vermagic|version|weakdep)=/;
const hiddenIn = ({ rest }: CutText) => rest.filter((each) => !shownTags.test(each));

const licenseTag = 'license=';

/** Returns the text after the NUL in the license that the kernel reads. */
function hiddenRest({ modinfo: entries, observations }: KernelModule): string | undefined {
  const read = entries.findIndex((each) => each.tag === 'license');
  const follower = entries[read + 1];
  if (read >= 0 && isFragment(follower)) return wholeText(follower);
  const claimed = `${licenseTag}${entries[read]?.value}`;
  return observations.cutTexts.flatMap((each) => (each.read === claimed ? hiddenIn(each) : []))[0];
}

export const licenseNul: Check = (module) => {
  const rest = hiddenRest(module);
  const weight = claimsGpl(module) ? 'proof' : 'lead';
  return when(rest !== undefined, 'license-nul', weight, () => {
    const read = quoteShortened(modinfo(module, 'license') ?? '');
    return `Its license is cut off by a NUL: the kernel reads ${read}, ${quoteShortened(rest ?? '')} follows`;
  });
};

export const modinfoFragment: Check = (module) => {
  const { modinfo: entries, observations } = module;
  const license = hiddenRest(module);
  const odd = entries.filter(isFragment).map(wholeText);
  const all = new Set([...odd, ...observations.cutTexts.flatMap(hiddenIn)]);
  if (license !== undefined) all.delete(license);
  return when(all.size > 0, 'modinfo-fragment', 'lead', () => {
    return `.modinfo has text that no build writes: ${listSome([...all].map(quoteShortened))}`;
  });
};

/**
 * Finds licenses that do not go together. Only the license that the kernel reads is a claim: a
 * module that states CDDL first, and the GPL for a part, claims nothing falsely. Objects under
 * "BSD" and "GPL" go together, although the kernel does not count "BSD" as GPL-compatible.
 */
export const mixedLicenses: Check = (module) => {
  const licenses = modinfoAll(module, 'license');
  const others = licenses.filter((each) => !isCompatibleLicense(each));
  if (others.length === 0 || others.length === licenses.length) return undefined;
  const all = listSome(licenses.map(quoteShortened));
  if (!claimsGpl(module)) {
    const message = `It states several licenses: ${all}; the kernel reads the first, which is not GPL-compatible`;
    return { check: 'licenses-mixed', weight: 'note', message };
  }
  if (others.some((each) => gpl2Terms(each) === 'excluded')) {
    const message = `It states licenses that contradict each other: ${all}; the kernel reads the first`;
    return { check: 'licenses-contradict', weight: 'proof', message };
  }
  const open = others.filter((each) => gpl2Terms(each) !== 'allowed');
  if (open.length === 0) {
    const message = `It states several licenses, as of several parts, that can be combined: ${all}; the kernel reads the first`;
    return { check: 'licenses-mixed', weight: 'note', message };
  }
  const which = listSome(open.map(quoteShortened));
  const message = `It states several licenses: ${all}; the kernel reads the first, and whether ${which} can be combined with it is not known`;
  return { check: 'licenses-mixed', weight: 'lead', message };
};

export const licenseMissing: Check = (module) =>
  when(modinfo(module, 'license') === undefined, 'license-missing', 'lead', () => {
    return 'It states no license, which makes every build fail';
  });

export const packageClaim: Check = (_, { packageClaim: claim }) => {
  switch (claim?.outcome) {
    case 'agrees':
      return { check: 'package-agrees', weight: 'support', message: claim.message };
    case 'contradicts':
      return { check: 'package-contradicts', weight: 'proof', message: claim.message };
    case 'doubtful':
      return { check: 'package-doubtful', weight: 'lead', message: claim.message };
    case 'undecided':
    case undefined:
      return undefined;
  }
};

export const closedWords: Check = ({ observations: { strings } }) => {
  const words = strings.filter((each) => !/kallsyms|sys_call_table/.test(each));
  return when(words.length > 0, 'closed-license-words', 'lead', () => {
    return `Its data has words of a closed license: ${listSome(words.map(quoteShortened))}`;
  });
};

/** Finds what a module says of itself that contradicts, more or less, its claim of the GPL. */
export const closedModinfo: Check = (module) => {
  const found = module.modinfo.flatMap((entry) => {
    const strength = closedIn(entry);
    return strength === undefined ? [] : [{ strength, entry }];
  });
  const isStrong = found.some(({ strength }) => strength === 'closed');
  const weight = isStrong && claimsGpl(module) ? 'lead' : 'note';
  return when(found.length > 0, 'closed-modinfo-words', weight, () => {
    const quoted = found.map(({ entry: { tag, value } }) => quoteShortened(`${tag}=${value}`));
    return isStrong
      ? `Its .modinfo has words of a closed license: ${listSome(quoted)}`
      : `Its .modinfo has words that closed licenses use as well: ${listSome(quoted)}`;
  });
};

export const gplOnlyWithoutGpl: Check = (module, { gplOnly }) =>
  when(gplOnly.length > 0 && !claimsGpl(module), 'gpl-only-without-gpl', 'lead', () => {
    return `It does not claim the GPL, and imports GPL-only symbols: ${listSome(gplOnly)}`;
  });

export const sourceTerms: Check = (_, { source }) => {
  const { closedTerms = [] } = source ?? {};
  return when(closedTerms.length > 0, 'source-closed-terms', 'lead', () => {
    return `Its source has words of a closed license: ${listSome(closedTerms)}`;
  });
};
