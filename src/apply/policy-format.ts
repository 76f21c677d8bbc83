/** Another policy format besides Bulkhead's own XML. */
import type { UidRange } from '../policy/document.ts';
import type { ParsedPolicy } from '../policy/parse.ts';

export interface PolicyFormat {
  /** The format's name in messages. */
  readonly name: string;
  /** The alternative to editing such a file. */
  readonly editHint: string;
  readonly matches: (text: string) => boolean;
  readonly parse: (file: string, text: string, machine: FormatMachine) => ParsedPolicy;
}

/** Host facts that formats without units need. */
interface FormatMachine {
  readonly cores: number;
  /** The range of uids that are tenants without being listed. */
  readonly uids?: UidRange;
}
