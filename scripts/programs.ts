/** The files of src/ that are started by their path: each is an entry of the bundle. */
const programs = [
  'main',
  // Processes and threads of their own.
  'apply-child',
  'policy-child',
  'database/io/worker/main',
  'host/evidence/main',
  'host/placer/main',
  'jail/io/build/main',
  'store/history/history-worker',
  'symlinks/io/audit/main',
  'web/io/entries/receiver-thread',
];

/** The program's entries, by their place in a package. */
export const programEntries: Readonly<Record<string, string>> = Object.fromEntries(
  programs.map((each) => [each, `src/${each}.ts`]),
);
