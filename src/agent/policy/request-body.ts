/** Bodies of requests about the policy. Everything in them is bounded, and unknown fields are refused. */
import type { Cause } from '../../../packages/base/problem.ts';
import { fail, ok, type Result } from '../../../packages/base/result.ts';
import { printable } from '../../../packages/base/printable.ts';
import type { WantedChange, WantedEdit } from '../../apply/edits/wanted-change.ts';
import { editsMax } from '../../policy/changes/edits-max.ts';
import { bytesMax } from '../../policy/xml.ts';

/** A change that is to be planned, written or replayed. */
export interface ChangeRequest {
  readonly change: WantedChange;
  readonly comment: string | undefined;
  /** The plan that was shown; only for a change that is to be written. */
  readonly planned: string | undefined;
  readonly revertAfterSeconds: number | undefined;
  /** Only for one that is to be replayed. */
  readonly periodSeconds: number | undefined;
}

const namesMax = 40;
const nameLengthMax = 400;
const commentLengthMax = 200;
const revertSeconds = { min: 60, max: 3_600 };
const periodSecondsRange = { min: 3_600, max: 400 * 86_400 };
const namePattern = /^[a-z]{1,20}(?:\.[a-z]{1,20})?$/;
const hashPattern = /^[0-9a-f]{64}$/;

type Fields = Readonly<Record<string, unknown>>;

export function readChangeRequest(body: Uint8Array): Result<ChangeRequest, Cause> {
  const fields = objectIn(body);
  if (!fields.ok) return fields;
  const allowed = ['edits', 'text', 'undo', 'comment', 'planned', 'revertAfterSeconds'];
  const unknown = unknownField(fields.value, [...allowed, 'periodSeconds']);
  if (unknown !== undefined) return fail(unknown);
  const change = readChange(fields.value);
  if (!change.ok) return change;
  const { comment, planned } = fields.value;
  if (comment !== undefined && !isText(comment, commentLengthMax))
    return wrong('comment', `a text of at most ${commentLengthMax} characters`);
  if (planned !== undefined && !(typeof planned === 'string' && hashPattern.test(planned)))
    return wrong('planned', 'the planId of a plan');
  const revert = readNumber(fields.value, 'revertAfterSeconds', revertSeconds);
  if (!revert.ok) return revert;
  const period = readNumber(fields.value, 'periodSeconds', periodSecondsRange);
  if (!period.ok) return period;
  return ok({
    change: change.value,
    comment: comment === undefined ? undefined : printable(comment),
    planned,
    revertAfterSeconds: revert.value,
    periodSeconds: period.value,
  });
}

/** Reads the body of a keep: the number of the change, if it has one. */
export function readKeepRequest(
  body: Uint8Array,
): Result<{ readonly change: number | undefined }, Cause> {
  const fields = objectIn(body);
  if (!fields.ok) return fields;
  const unknown = unknownField(fields.value, ['change']);
  if (unknown !== undefined) return fail(unknown);
  const change = readNumber(fields.value, 'change', { min: 1, max: 1e15 });
  return change.ok ? ok({ change: change.value }) : change;
}

function objectIn(body: Uint8Array): Result<Fields, Cause> {
  if (body.length === 0) return fail({ reason: 'it has no body', hint: 'send a JSON object' });
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(body);
    const value: unknown = JSON.parse(text);
    if (isObject(value)) return ok(value);
  } catch {
    // Not UTF-8, or not JSON.
  }
  return fail({ reason: 'its body is not a JSON object in UTF-8' });
}

const isObject = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const isText = (value: unknown, lengthMax: number): value is string =>
  typeof value === 'string' && value.length <= lengthMax;

const wrong = (field: string, expected: string): Result<never, Cause> =>
  fail({ reason: `"${field}" is not ${expected}` });

function unknownField(fields: Fields, known: readonly string[]): Cause | undefined {
  const unknown = Object.keys(fields).find((each) => !known.includes(each));
  return unknown === undefined
    ? undefined
    : { reason: `the field "${printable(unknown.slice(0, 40))}" is not known` };
}

function readNumber(
  fields: Fields,
  name: string,
  { min, max }: { readonly min: number; readonly max: number },
): Result<number | undefined, Cause> {
  const value = fields[name];
  if (value === undefined) return ok(undefined);
  return typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max
    ? ok(value)
    : wrong(name, `a whole number from ${min} to ${max}`);
}

function readChange(fields: Fields): Result<WantedChange, Cause> {
  const { edits, text, undo } = fields;
  const given = [edits, text, undo].filter((each) => each !== undefined);
  if (given.length !== 1)
    return fail({ reason: 'it has not exactly one of "edits", "text" and "undo"' });
  if (undo !== undefined) {
    const number = readNumber(fields, 'undo', { min: 1, max: 1e15 });
    return number.ok ? ok({ kind: 'undo', number: number.value ?? 0 }) : number;
  }
  if (text === undefined) return readEdits(edits);
  if (typeof text !== 'string' || !text.isWellFormed() || Buffer.byteLength(text) > bytesMax)
    return wrong('text', `a text of at most ${bytesMax} bytes`);
  return ok({ kind: 'text', text });
}

function readEdits(value: unknown): Result<WantedChange, Cause> {
  if (!Array.isArray(value) || value.length === 0 || value.length > editsMax)
    return wrong('edits', `a list of 1 to ${editsMax} edits`);
  const edits: WantedEdit[] = [];
  for (const each of value as readonly unknown[]) {
    const edit = readEdit(each);
    if (!edit.ok) return edit;
    edits.push(edit.value);
  }
  return ok({ kind: 'edits', edits });
}

function readEdit(value: unknown): Result<WantedEdit, Cause> {
  if (!isObject(value)) return fail({ reason: 'an edit is not an object' });
  const unknown = unknownField(value, ['target', 'set', 'unset', 'remove']);
  if (unknown !== undefined) return fail(unknown);
  const { target, set = {}, unset = [], remove = false } = value;
  if (!isText(target, nameLengthMax)) return wrong('target', 'the name of an element');
  if (!isObject(set) || !Object.entries(set).every(isSetting))
    return wrong('set', 'an object of limits and their values');
  if (!Array.isArray(unset) || !unset.every(isName)) return wrong('unset', 'a list of limits');
  if (typeof remove !== 'boolean') return wrong('remove', 'true or false');
  const count = Object.keys(set).length + unset.length;
  if (count > namesMax) return fail({ reason: `an edit has more than ${namesMax} limits` });
  if (remove ? count > 0 : count === 0)
    return fail({
      reason: 'an edit changes nothing, or sets limits of an element that it removes',
    });
  const pairs = Object.entries(set as Readonly<Record<string, string>>);
  return ok({ target, set: pairs, unset: unset as readonly string[], remove });
}

const isName = (value: unknown): boolean => typeof value === 'string' && namePattern.test(value);

const isSetting = ([name, value]: readonly [string, unknown]): boolean =>
  isName(name) && isText(value, nameLengthMax) && value.trim() !== '';
