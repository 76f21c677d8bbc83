/** Another format in which a policy may be written, beside Bulkhead's own XML. */
import type { UidRange } from '../policy/document.ts';
import type { ParsedPolicy } from '../policy/parse.ts';

export interface PolicyFormat {
  /** As messages call it. */
  readonly name: string;
  /** What to do instead of editing such a file. */
  readonly editHint: string;
  readonly matches: (text: string) => boolean;
  readonly parse: (file: string, text: string, machine: FormatMachine) => ParsedPolicy;
}

/** Facts of the host that formats without units need. */
export interface FormatMachine {
  readonly cores: number;
  /** Who is a tenant without being listed. */
  readonly uids?: UidRange;
}
