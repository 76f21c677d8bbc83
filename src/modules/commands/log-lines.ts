/** The kernel's own lines about a module, for people. */
import type { LoaderVerdict } from '../../../packages/modules/core/loader/verdict.ts';

/**
 * The line that the kernel logs together with the taint E, and only then. Source:
 * kernel/module/main.c.
 */
const ofUnsigned = ': module verification failed: ';

export const logLines = ({ messages, openTaints }: LoaderVerdict): readonly string[] =>
  messages.map((line) =>
    openTaints.includes('E') && line.includes(ofUnsigned)
      ? `kernel log, unless a keyring holds the key that signed it: ${line}`
      : `kernel log: ${line}`,
  );
