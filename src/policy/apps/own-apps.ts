/**
 * The applications that a tenant defines itself, where the policy lets it (`<apps max="3"/>`). Each tenant has a file,
 * which only root can read:
 *
 *     {"name":"alice","home":"131.17","apps":[{"name":"blog","command":"node server.js","idle":"1h"}]}
 *
 * Names and values are as in `<app>`, and are parsed in the same way. Some attributes are missing: a socket could be
 * anywhere, variables reach the launcher while it is still root, and each start costs the host.
 */
import { isObject, parseObject } from '../../../packages/base/json.ts';
import { formatCause, type Cause } from '../../../packages/base/problem.ts';
import { fail, ok, type Result } from '../../../packages/base/result.ts';
import type { UidOwner } from '../accounts/uid-owner.ts';
import { parseDuration } from '../../../packages/base/duration.ts';
import { valueKinds } from '../value-kinds.ts';
import {
  appNamePattern,
  appSockets,
  appsMax,
  idleDefaultSeconds,
  startsDefault,
  type App,
} from './app.ts';

export const ownAppAttributes = ['command', 'directory', 'listen', 'idle', 'environment'] as const;
export type OwnAppAttribute = (typeof ownAppAttributes)[number];

/** A definition as its tenant wrote it. */
export type OwnAppTexts = { readonly name: string } & {
  readonly [Attribute in OwnAppAttribute]?: string;
};

/** The owner of the uid when it defined the applications; another owner inherits none. */
export interface KeptOwnApps extends UidOwner {
  /** The definitions, the oldest first. */
  readonly apps: readonly OwnAppTexts[];
}

/** Each idle stop allows one more start, which costs the host more than the tenant. */
const idleSecondsMin = 60;
/** The most characters of one text. */
const textMax = 4096;
/** The most that is read of the file, and so the most that is kept. */
export const ownAppsBytesMax = 2 ** 20;

/** Parses a definition. */
export function parseOwnApp(texts: OwnAppTexts): Result<App, Cause> {
  const name = valueKinds.app.parse(texts.name);
  if (!name.ok) return name;
  if (texts.command === undefined)
    return fail({ reason: 'it needs a command', hint: 'for example: --command "node server.js"' });
  const app: Partial<Record<keyof App, string | number>> = {};
  for (const attribute of ownAppAttributes) {
    const text = texts[attribute];
    if (text === undefined) continue;
    if (text.length > textMax) return fail({ reason: `${attribute}: the text is too long` });
    const parsed = parsers[attribute](text);
    if (!parsed.ok) {
      const text = formatCause(parsed.error);
      return fail({ reason: `${attribute}: ${text.charAt(0).toLowerCase()}${text.slice(1)}` });
    }
    app[attribute === 'idle' ? 'idleSeconds' : attribute] = parsed.value;
  }
  return ok({ ...unparsedApp(texts), ...app } as App);
}

/** Returns what is known of a definition that may be wrong, to show it. */
export const unparsedApp = ({ name, command = '' }: OwnAppTexts): App => ({
  name,
  command,
  listen: 'port',
  idleSeconds: idleDefaultSeconds,
  starts: startsDefault,
  variables: [],
});

const parsers: Readonly<Record<OwnAppAttribute, (text: string) => Result<string | number, Cause>>> =
  {
    command: valueKinds.command.parse,
    directory: valueKinds.path.parse,
    environment: valueKinds.path.parse,
    listen: (text) =>
      appSockets.some((each) => each === text)
        ? ok(text)
        : fail({ reason: `"${text}" is not one of ${appSockets.join(', ')}` }),
    idle: (text) => {
      const parsed = parseDuration(text);
      const isShort = parsed.ok && Math.round(parsed.value / 1000) < idleSecondsMin;
      return isShort
        ? fail({ reason: `"${text}" is less than ${idleSecondsMin}s` })
        : valueKinds.idle.parse(text);
    },
  };

/** Returns the definitions with a new or changed one, of at most `max`. */
export function withOwnApp(
  apps: readonly OwnAppTexts[],
  app: OwnAppTexts,
  max: number,
): Result<readonly OwnAppTexts[], Cause> {
  const isKnown = apps.some(({ name }) => name === app.name);
  if (isKnown) return ok(apps.map((each) => (each.name === app.name ? app : each)));
  if (apps.length < max) return ok([...apps, app]);
  return fail({
    reason: `you have ${apps.length} applications of your own, and the administrator allows ${max}`,
    hint: 'remove one first: bulkhead app remove NAME',
  });
}

export const formatOwnApps = ({ name, home, apps }: KeptOwnApps): string =>
  `${JSON.stringify({ name, home, apps })}\n`;

/** Parses the file; returns undefined if it is damaged. */
export function parseOwnApps(text: string): KeptOwnApps | undefined {
  const { name, home, apps } = parseObject(text) ?? {};
  if (typeof name !== 'string' || !Array.isArray(apps) || apps.length > appsMax) return undefined;
  const read = apps.map(textsOf);
  if (!read.every((each) => each !== undefined)) return undefined;
  return { name, ...(typeof home === 'string' && { home }), apps: read };
}

function textsOf(value: unknown): OwnAppTexts | undefined {
  if (!isObject(value) || typeof value['name'] !== 'string') return undefined;
  if (!appNamePattern.test(value['name'])) return undefined;
  const texts = Object.entries(value).filter(
    ([key, text]) =>
      (key === 'name' || ownAppAttributes.some((each) => each === key)) && typeof text === 'string',
  );
  return texts.length === Object.keys(value).length
    ? (Object.fromEntries(texts) as OwnAppTexts)
    : undefined;
}
