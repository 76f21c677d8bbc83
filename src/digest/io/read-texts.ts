/** The texts of an administrator, in /etc/bulkhead/texts/LANGUAGE/digest.txt. */
import { fail, ok, type Result } from '../../../packages/base/result.ts';
import { formatCause, formatProblem, type Cause } from '../../../packages/base/problem.ts';
import type { Paths } from '../../host/paths.ts';
import type { AgentSettings } from '../../policy/settings.ts';
import { readTextFile } from '../../sys/files/text-file.ts';
import { builtInTexts, textsFor } from '../core/texts/built-in.ts';
import { parseTexts } from '../core/texts/text-file.ts';
import type { Texts } from '../core/texts/texts.ts';

export const textsPath = ({ etc }: Pick<Paths, 'etc'>, language: string): string =>
  `${etc}/bulkhead/texts/${language}/digest.txt`;

const bytesMax = 64 * 1024;
const utf8 = new TextDecoder('utf-8', { fatal: true });

export interface ReadTexts {
  /** All texts of the language: one that the administrator lacks, or has with a mistake, is the built-in one. */
  readonly texts: Texts;
  /** The mistakes, each with its file and line. */
  readonly problems: readonly string[];
}

export function readTexts(paths: Pick<Paths, 'etc'>, language: string): ReadTexts {
  const path = textsPath(paths, language);
  const read = readTextFile(path, { bytesMax, decode }, 'trusted');
  if (!read.ok) {
    const isMissing = read.error.errno === 'ENOENT';
    const isKnown = builtInTexts.has(language) || builtInTexts.has(language.split('-')[0] ?? '');
    const problem = isMissing
      ? `There are no texts for the language "${language}" of <digest>: the English ones are used; write ${path}`
      : `${formatProblem(read.error)}; the built-in texts are used`;
    return {
      texts: textsFor(language, new Map()),
      problems: isMissing && isKnown ? [] : [problem],
    };
  }
  const { texts, problems } = parseTexts(read.value);
  return {
    texts: textsFor(language, texts),
    problems: problems.map(
      ({ line, ...cause }) => `${path}:${line}: ${formatCause(cause)}; the built-in text is used`,
    ),
  };
}

function decode(bytes: Uint8Array): Result<string, Cause> {
  try {
    return ok(utf8.decode(bytes));
  } catch {
    return fail({ reason: 'it is not UTF-8' });
  }
}

/** Returns the mistakes in the texts that the policy's digests use. */
export function textProblems(
  paths: Pick<Paths, 'etc'>,
  { alerts }: Pick<AgentSettings, 'alerts'>,
): readonly string[] {
  const languages = new Set(alerts.digests?.map(({ language }) => language));
  return [...languages].flatMap((each) => readTexts(paths, each).problems);
}
