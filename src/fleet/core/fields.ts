/** The kinds of fields that documents of a fleet have. Each reader returns the value written anew, or undefined. */
import { isObject } from '../../../packages/base/json.ts';

export interface Field<T> {
  /** The requirement, to follow "must be". */
  readonly wanted: string;
  readonly read: (value: unknown) => T | undefined;
}

/** A reader for each field, in the order in which the document has them. */
export type Shape<T> = { readonly [Key in keyof T]-?: Field<T[Key]> };

export const matching = (wanted: string, test: (value: string) => boolean): Field<string> => ({
  wanted,
  read: (value) => (typeof value === 'string' && test(value) ? value : undefined),
});

export const formatOne: Field<1> = {
  wanted: '1',
  read: (value) => (value === 1 ? 1 : undefined),
};

export const namePattern = /^[a-z0-9-]{1,63}$/;
export const personPattern = /^[A-Za-z0-9][A-Za-z0-9._@+-]{0,63}$/;

export const name = matching('1 to 63 lower case letters, digits and "-"', (value) =>
  namePattern.test(value),
);
export const person = matching('a name like alice@example.org', (value) =>
  personPattern.test(value),
);
export const hash = matching('a SHA-256 in hexadecimal', (value) => /^[0-9a-f]{64}$/.test(value));
export const time = matching('a time like 2027-01-31T12:00:00.000Z', (value) =>
  /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/.test(value),
);

const keyTextMax = 4096;
export const publicKey = matching('a public key like "ssh-ed25519 AAAA…"', (value) => {
  const [type = '', blob = '', ...more] = value.length > keyTextMax ? [] : value.split(' ');
  return /^[a-z0-9@.-]+$/.test(type) && more.length === 0 && isBase64(blob);
});

/** Whether the text is base64 in its only form: other texts could hide that two keys are the same. */
const isBase64 = (text: string) =>
  text !== '' && Buffer.from(text, 'base64').toString('base64') === text;

export const text = (charsMax: number): Field<string> =>
  matching(`a text of at most ${charsMax} characters`, (value) => value.length <= charsMax);

export const whole = (min: number, max: number = Number.MAX_SAFE_INTEGER): Field<number> => ({
  wanted: `a whole number from ${min} to ${max}`,
  read: (value) =>
    typeof value === 'number' && Number.isSafeInteger(value) && value >= min && value <= max
      ? value
      : undefined,
});

export const amount = (max: number = Number.MAX_SAFE_INTEGER): Field<number> => ({
  wanted: `a number from 0 to ${max}`,
  read: (value) => (typeof value === 'number' && value >= 0 && value <= max ? value : undefined),
});

export const part: Field<number> = amount(1);

export const yesNo: Field<boolean> = {
  wanted: 'true or false',
  read: (value) => (typeof value === 'boolean' ? value : undefined),
};

export const orNull = <T>(field: Field<T>): Field<T | null> => ({
  wanted: `null, or ${field.wanted}`,
  read: (value) => (value === null ? null : field.read(value)),
});

export const oneOf = <T extends string>(words: readonly T[]): Field<T> => ({
  wanted: `one of ${words.join(', ')}`,
  read: (value) => words.find((each) => each === value),
});

export function list<T>(each: Field<T>, min: number, max: number): Field<readonly T[]> {
  return {
    wanted: `${min} to ${max} entries, each of them ${each.wanted}`,
    read: (value) => {
      if (!Array.isArray(value) || value.length < min || value.length > max) return undefined;
      const read = value.map((one: unknown) => each.read(one));
      return read.every((one) => one !== undefined) ? read : undefined;
    },
  };
}

export function object<T extends object>(shape: Shape<T>): Field<T> {
  return {
    wanted: `an object with ${Object.keys(shape).join(', ')}`,
    read: (value) => (isObject(value) ? readShape(value, shape).value : undefined),
  };
}

/** Reads an object that has exactly these fields; `problem` names the first that is wrong. */
export function readShape<T extends object>(
  value: Readonly<Record<string, unknown>>,
  shape: Shape<T>,
): { readonly value?: T; readonly problem?: string } {
  const fields = Object.entries<Field<unknown>>(shape as Record<string, Field<unknown>>);
  const unknown = Object.keys(value).find((key) => !Object.hasOwn(shape, key));
  if (unknown !== undefined)
    return { problem: `has "${unknown.slice(0, 40)}", which is not known here` };
  const read: [string, unknown][] = [];
  for (const [key, field] of fields) {
    const found = Object.hasOwn(value, key) ? field.read(value[key]) : undefined;
    if (found === undefined)
      return { problem: `has a wrong "${key}", which must be ${field.wanted}` };
    read.push([key, found]);
  }
  return { value: Object.fromEntries(read) as T };
}
