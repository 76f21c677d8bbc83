/** Another policy format besides Bulkhead's own XML. */
import type { UidRange } from '../policy/document.ts';
import type { ParsedPolicy } from '../policy/parse.ts';

export interface PolicyFormat {
  /** Its name in messages. */
  readonly name: string;
  /** What to do instead of editing such a file. */
  readonly editHint: string;
  readonly matches: (text: string) => boolean;
  readonly parse: (file: string, text: string, machine: FormatMachine) => ParsedPolicy;
}

/** Facts of the host needed by formats without units. */
interface FormatMachine {
  readonly cores: number;
  /** The uids that are tenants without being listed. */
  readonly uids?: UidRange;
}
