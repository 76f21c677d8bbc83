/** The same modules on two kernels: what stops loading with the other one, and why. */
import type { RefusalCause, Verdict } from '../loader/verdict.ts';

export interface Stopped {
  readonly file: string;
  readonly errno: string | undefined;
  readonly why: readonly {
    readonly cause: RefusalCause;
    /** In plain words: the change, then what it means for the module. */
    readonly message: string;
  }[];
}

export interface VerdictComparison {
  readonly stops: readonly Stopped[];
  /** Files that were refused before, and load. */
  readonly starts: readonly string[];
  /** Files that were judged on one of the kernels only. */
  readonly notCompared: readonly string[];
}

/** What must have changed between the kernels for a module that loaded to be refused for that cause. */
const changes: Readonly<Record<RefusalCause, string>> = {
  'not allowed': 'Loading is switched off',
  signature: 'Its signature is not accepted any more',
  format: 'The file is not accepted any more',
  memory: 'There is not enough memory of the kind any more',
  blacklist: 'It is blacklisted',
  layout: 'The layout of the loader changed',
  vermagic: 'The vermagic changed',
  livepatch: 'Live patching is gone',
  'already loaded': 'Another module took its name',
  export: 'What it exports is taken, or lacks versions',
  'symbol gone': 'Symbols are gone',
  'GPL-only': 'Symbols became GPL-only',
  proprietary: 'A module that it uses became proprietary',
  CRC: 'Versions (CRC) of symbols changed',
  namespace: 'Symbols moved into a namespace',
};

/** Keys are the files, the same for both kernels. */
export function compare(
  before: ReadonlyMap<string, Verdict>,
  after: ReadonlyMap<string, Verdict>,
): VerdictComparison {
  const stops: Stopped[] = [];
  const starts: string[] = [];
  const notCompared = [...after.keys()].filter((file) => !before.has(file));
  for (const [file, old] of before) {
    const now = after.get(file);
    if (now === undefined) notCompared.push(file);
    else if (old.result === 'load' && now.result === 'refuse') stops.push(stopped(file, now));
    else if (old.result === 'refuse' && now.result === 'load') starts.push(file);
  }
  return { stops, starts, notCompared };
}

function stopped(file: string, { errno, reasons }: Verdict): Stopped {
  const why = reasons.flatMap(({ refuses: cause, reason }) =>
    cause === undefined ? [] : [{ cause, message: `${changes[cause]}. ${reason}` }],
  );
  return { file, errno, why };
}
