/** The values that `digest` commands print with `--json`. */
import type { DigestResponse } from '../../agent/api/api.ts';
import type { Problem } from '../../../packages/base/problem.ts';

/** `bulkhead digest send` */
export interface DigestSendJson {
  /** One for each `<digest>` of the policy. */
  readonly digests: readonly {
    /** The kind of receiver. */
    readonly to: 'reseller' | 'tenant';
    /** The day or week that the messages are about; null if none is due. */
    readonly slot: string | null;
    /** The number of messages that were sent by this run. */
    readonly sent: number;
    /** The number of messages that could not be sent by this run. */
    readonly failed: number;
    /** Recipients who get none, because the maximum was reached. */
    readonly leftOut: number;
  }[];
  /** Messages that were not sent, and why. */
  readonly problems: readonly Problem[];
}

/** `bulkhead digest set` */
export type DigestSetJson = DigestResponse;

/** `bulkhead digest preview` */
export interface DigestPreviewJson {
  /** The messages; none if there is nothing to report. */
  readonly messages: readonly {
    /** The kind of receiver. */
    readonly to: 'reseller' | 'tenant';
    /** The mail address or mailbox; null if it has none or has turned its digest off: `problems` has the reason. */
    readonly address: string | null;
    /** The subject line. */
    readonly subject: string;
    /** The plain text of the message. */
    readonly text: string;
  }[];
  /** Why messages would not be sent, and mistakes in the administrator's texts. */
  readonly problems: readonly string[];
}
