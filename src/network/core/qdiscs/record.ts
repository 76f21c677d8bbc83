/**
 * The record of what we changed, so that exactly this can be put back. It is written before a change and reduced after
 * one was undone, so it has everything that may have been changed.
 *
 *     {"boot":"8f2c…","devices":[{"index":2,"kind":"mq"}],"defaultQdisc":"fq_codel"}
 */
import { isObject, parseObject } from '../../../../packages/base/json.ts';
import { fail, ok, type Result } from '../../../../packages/base/result.ts';
import type { Cause } from '../../../../packages/base/problem.ts';
import { ourHandle } from './decide.ts';
import { rootParent, type Qdisc } from './rtnetlink.ts';

export interface QdiscRecord {
  readonly devices: readonly SetDevice[];
  /** The value of `net.core.default_qdisc` before. */
  readonly defaultQdisc?: string;
}

export interface SetDevice {
  readonly index: number;
  readonly kind: 'fq' | 'mq';
}

export const emptyRecord: QdiscRecord = { devices: [] };

export const isEmptyRecord = ({ devices, defaultQdisc }: QdiscRecord): boolean =>
  devices.length === 0 && defaultQdisc === undefined;

/** `boot`: the kernel's id of this boot. A restart undoes everything, and gives devices other numbers. */
export const formatRecord = (record: QdiscRecord, boot: string): string =>
  `${JSON.stringify({ boot, ...record })}\n`;

export function parseRecord(text: string, boot: string): Result<QdiscRecord, Cause> {
  const value = parseObject(text);
  const devices: unknown = value?.['devices'];
  if (value === undefined || !Array.isArray(devices) || !devices.every(isSetDevice))
    return fail({ reason: 'it is damaged' });
  if (value['boot'] !== boot) return ok(emptyRecord);
  const { defaultQdisc } = value;
  return ok({ devices, ...(typeof defaultQdisc === 'string' ? { defaultQdisc } : {}) });
}

const isSetDevice = (value: unknown): value is SetDevice =>
  isObject(value) &&
  Number.isSafeInteger(value['index']) &&
  (value['kind'] === 'fq' || value['kind'] === 'mq');

/** Whether the device has what we set there: nobody else has replaced it. */
export const isInForce = ({ index }: SetDevice, qdiscs: readonly Qdisc[]): boolean =>
  qdiscs.some(
    (each) => each.device === index && each.parent === rootParent && each.handle === ourHandle,
  );
