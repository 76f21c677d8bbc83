/**
 * Files of panels that have a key and a value on each line:
 *
 *     PACKAGE='default'          HestiaCP, always in single quotes
 *     package=default            DirectAdmin and cPanel, never in quotes
 *     limit_web-awstats=1        Webmin: a key is everything before the first "="
 */
import type { Cause } from '../../../packages/base/problem.ts';
import { count } from '../../../packages/base/list.ts';
import { fail, ok, type Result } from '../../../packages/base/result.ts';

export interface KeyValues {
  readonly values: ReadonlyMap<string, string>;
  /** Lines that have another form, or repeat a key with another value. */
  readonly wrong?: Cause;
}

export type LineForm = 'quoted' | 'plain' | 'webmin';

const forms: Readonly<Record<LineForm, RegExp>> = {
  quoted: /^([A-Z][A-Z0-9_]*)='(.*)'\s*$/,
  plain: /^([A-Za-z_][A-Za-z0-9_.-]*)=(.*)$/,
  webmin: /^([^=]+)=(.*)$/,
};

/** Fails if the text has no such line, as a page of HTML. A key that occurs twice keeps its first value. */
export function parseKeyValues(text: string, form: LineForm): Result<KeyValues, Cause> {
  const values = new Map<string, string>();
  const wrong: number[] = [];
  for (const [index, line] of text.split('\n').entries()) {
    const trimmed = line.replace(/\r$/, '');
    if (/^\s*(?:#|$)/.test(trimmed)) continue;
    const [, key, value] = forms[form].exec(trimmed) ?? [];
    if (key === undefined || value === undefined) wrong.push(index + 1);
    else if (!values.has(key)) values.set(key, value.trim());
    else if (values.get(key) !== value.trim()) wrong.push(index + 1);
  }
  if (values.size === 0)
    return fail({ reason: `no line of it is ${form === 'quoted' ? "KEY='value'" : 'key=value'}` });
  const [first] = wrong;
  return first === undefined ? ok({ values }) : ok({ values, wrong: wrongLines(first, wrong) });
}

const wrongLines = (first: number, all: readonly number[]): Cause => ({
  reason: `${count(all.length, 'line')} of it cannot be understood, the first is line ${first}`,
});

/** Parses the attributes of one line, `DOMAIN='a.example' IP='192.0.2.1' ALIAS='www.a.example'`. */
export function parseAttributes(line: string): ReadonlyMap<string, string> {
  const found = line.matchAll(/([A-Z][A-Z0-9_]*)='([^']*)'/g);
  return new Map([...found].map(([, key = '', value = '']) => [key, value]));
}
