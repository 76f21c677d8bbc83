/**
 * Applications of the policy that the administrator has disabled. `bulkhead app disable` writes them to
 * /etc/bulkhead/app/disabled:
 *
 *     1001 blog
 */
import { appNamePattern } from '../../policy/apps/app.ts';
import { appKey, type AppId } from './names.ts';

const header = '# Written by "bulkhead app disable" and "enable".\n';
const line = /^(?<uid>[1-9]\d{0,9}) (?<name>\S+)$/;

/** Parses the file into keys of applications. The error is the number of the line that is not understood. */
export function parseDisabled(text: string): ReadonlySet<string> | { readonly badLine: number } {
  const keys = new Set<string>();
  for (const [index, each] of text.split('\n').entries()) {
    if (each === '' || each.startsWith('#')) continue;
    const { uid, name } = line.exec(each)?.groups ?? {};
    if (uid === undefined || name === undefined || !appNamePattern.test(name))
      return { badLine: index + 1 };
    keys.add(appKey({ uid: Number(uid), name }));
  }
  return keys;
}

export const formatDisabled = (keys: ReadonlySet<string>): string =>
  `${header}${[...keys]
    .sort()
    .map((each) => `${each}\n`)
    .join('')}`;

export function withDisabled(
  keys: ReadonlySet<string>,
  app: AppId,
  isDisabled: boolean,
): ReadonlySet<string> {
  const others = [...keys].filter((each) => each !== appKey(app));
  return new Set(isDisabled ? [...others, appKey(app)] : others);
}
