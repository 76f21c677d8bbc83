/** The questions about the policy that a separate process answers, since reading a large one takes long. */
import type { ChangeAuthor } from '../../store/changes/change-store.ts';
import type { Paths } from '../../host/paths.ts';
import type { PolicyEditor } from '../../policy/rights/may-edit.ts';
import type { Tick } from '../../usage/tick.ts';

/** Whoever asks, and sees everything, or what a reseller may see. */
export type PolicyAudience =
  | { readonly kind: 'administrator' }
  | { readonly kind: 'reseller'; readonly uid: number };

export type PolicyQuestion =
  | { readonly kind: 'read' }
  | ({ readonly kind: 'plan' | 'write' } & ChangeQuestion)
  | ({ readonly kind: 'undo'; readonly number: number } & Omit<ChangeQuestion, 'body'>)
  | ({ readonly kind: 'simulate' } & ChangeQuestion)
  | {
      readonly kind: 'changes';
      readonly tenant: string | undefined;
      readonly from: number;
      readonly to: number;
      /** Only changes with a lower number; absent: all. */
      readonly before?: number | undefined;
    }
  | { readonly kind: 'change'; readonly number: number; readonly from: number }
  | { readonly kind: 'go back' }
  | ReleaseQuestion;

/** The question whether this host takes a policy as its fleet's. */
export interface ReleaseQuestion {
  readonly kind: 'release';
  readonly release: string;
  /** The memory that tenants use, by uid; not asked if people have agreed to a large change. */
  readonly memoryBytes: ReadonlyMap<number, number> | 'not asked';
}

export interface ChangeQuestion {
  /** JSON as it came; nobody has checked it. */
  readonly body: Uint8Array;
  /** The text that the caller has seen. */
  readonly etag: string | undefined;
  /** The last tick, for warnings. */
  readonly tick: Tick;
}

export interface PolicyJob {
  readonly paths: Paths;
  readonly file: string;
  readonly audience: PolicyAudience;
  readonly editor: PolicyEditor;
  readonly author: Omit<ChangeAuthor, 'way' | 'comment'>;
  readonly question: PolicyQuestion;
}

/** A response, as it is sent. */
export interface PolicyJobAnswer {
  readonly status: number;
  /** JSON. */
  readonly body: string;
  /** The time after which the same question may get another answer. */
  readonly retryAfterSeconds?: number;
  /** The change that was written; absent if nothing was. */
  readonly written?: WrittenChange;
}

export interface WrittenChange {
  /** Whether the policy had this text already. */
  readonly isSame: boolean;
  readonly change?: number;
  readonly etag: string;
}
