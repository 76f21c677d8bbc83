/** The arguments of a verb of lvectl, and its type. */
import type { PolicyCapability } from '../../../apply/capability.ts';
import type { PolicyReader } from '../../../apply/load-policy.ts';
import type { Paths } from '../../../host/paths.ts';
import type { LimitOptions } from '../limit-options.ts';
import type { LveReply } from './reply.ts';

export interface LvectlOptions extends LimitOptions {
  readonly policy: string;
  readonly apply: boolean;
  readonly json?: boolean;
}

export interface LvectlCall {
  /** The words after the verb. */
  readonly words: readonly string[];
  readonly options: LvectlOptions;
  readonly paths: Paths;
  readonly capabilities: readonly PolicyCapability[];
  readonly reader: PolicyReader;
  readonly version: string;
}

export interface Verb {
  /** Words that follow it, for the help. */
  readonly words: string;
  readonly does: string;
  readonly run: (call: LvectlCall) => LveReply | Promise<LveReply>;
}

export type Verbs = Readonly<Record<string, Verb>>;
