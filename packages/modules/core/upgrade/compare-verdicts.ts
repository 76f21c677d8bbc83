/** The same modules on two kernels: which ones the other no longer loads, and why. */
import type { RefusalCause, LoaderVerdict } from '../loader/verdict.ts';

export interface NewlyRefused {
  readonly file: string;
  /** The errno's name, such as `ENOENT`. */
  readonly errnoName: string | undefined;
  /** The reasons for the refusal. */
  readonly reasons: readonly {
    /** A stable word for programs. */
    readonly cause: RefusalCause;
    /** The explanation for people: the change, then its effect on the module. */
    readonly message: string;
  }[];
}

export interface VerdictComparison {
  readonly noLongerLoad: readonly NewlyRefused[];
  /** Files that were refused before, and now load. */
  readonly nowLoad: readonly string[];
  /** Files that were judged on one of the kernels only. */
  readonly notCompared: readonly string[];
}

/** The change between the kernels behind each cause: why a module that loaded is now refused. */
const changes: Readonly<Record<RefusalCause, string>> = {
  'not allowed': 'Loading is switched off',
  signature: 'Its signature is no longer accepted',
  format: 'The file is no longer accepted',
  memory: 'There is no longer enough memory of this kind',
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

/** Compares the verdicts. Keys are the files, the same for both kernels. */
export function compare(
  before: ReadonlyMap<string, LoaderVerdict>,
  after: ReadonlyMap<string, LoaderVerdict>,
): VerdictComparison {
  const noLongerLoad: NewlyRefused[] = [];
  const nowLoad: string[] = [];
  const notCompared = [...after.keys()].filter((file) => !before.has(file));
  for (const [file, old] of before) {
    const now = after.get(file);
    if (now === undefined) notCompared.push(file);
    else if (old.result === 'load' && now.result === 'refuse')
      noLongerLoad.push(newlyRefused(file, now));
    else if (old.result === 'refuse' && now.result === 'load') nowLoad.push(file);
  }
  return { noLongerLoad, nowLoad, notCompared };
}

function newlyRefused(file: string, { errno, reasons }: LoaderVerdict): NewlyRefused {
  const causes = reasons.flatMap(({ refuses: cause, reason }) =>
    cause === undefined ? [] : [{ cause, message: `${changes[cause]}. ${reason}` }],
  );
  return { file, errnoName: errno, reasons: causes };
}
