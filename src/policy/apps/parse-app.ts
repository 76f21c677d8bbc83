/** `<app>` → AppElement, with every mistake reported. */
import type { Cause } from '../../../packages/base/problem.ts';
import { fail, ok, type Result } from '../../../packages/base/result.ts';
import type { Diagnostics, Located } from '../diagnostic.ts';
import { AttributeReader } from '../parse-agent.ts';
import { valueKinds } from '../value-kinds.ts';
import { childrenOf, xmlAttribute, type XmlElement } from '../xml.ts';
import {
  appSockets,
  appVariablesMax,
  idleDefaultSeconds,
  isReservedVariable,
  startsDefault,
  startsMax,
  type AppElement,
  type AppVariable,
  type OwnAppsElement,
} from './app.ts';

export function readApp(element: XmlElement, diagnostics: Diagnostics): readonly AppElement[] {
  const read = new AttributeReader(element, diagnostics);
  const name = located(element, 'name', read.parsed('name', valueKinds.app.parse));
  const command = read.parsed('command', valueKinds.command.parse);
  const directory = read.parsed('directory', valueKinds.path.parse);
  const socket = located(element, 'socket', read.parsed('socket', parseSocket));
  const environment = read.parsed('environment', valueKinds.path.parse);
  const app = {
    start: element.start,
    end: element.end,
    listen: read.choice('listen', appSockets) ?? 'port',
    idleSeconds: read.parsed('idle', valueKinds.idle.parse) ?? idleDefaultSeconds,
    starts: read.parsed('starts', parseStarts) ?? startsDefault,
    variables: readVariables(element, diagnostics),
    ...(directory !== undefined && { directory }),
    ...(socket && { socket }),
    ...(environment !== undefined && { environment }),
  };
  return name === undefined || command === undefined ? [] : [{ ...app, name, command }];
}

export function readOwnApps(
  element: XmlElement,
  diagnostics: Diagnostics,
): OwnAppsElement | undefined {
  const read = new AttributeReader(element, diagnostics);
  const max = read.parsed('max', valueKinds.apps.parse);
  return max === undefined ? undefined : { start: element.start, end: element.end, max };
}

function located(
  element: XmlElement,
  attribute: string,
  value: string | undefined,
): Located<string> | undefined {
  const written = xmlAttribute(element, attribute);
  return written && value !== undefined ? { ...written, value } : undefined;
}

function parseStarts(text: string): Result<number, Cause> {
  const parsed = valueKinds.count.parse(text);
  if (!parsed.ok || parsed.value <= startsMax) return parsed;
  return fail({ reason: `"${text}" starts in a minute are too many; the most is ${startsMax}` });
}

/** Characters that systemd, nginx and Apache all read literally. */
const socketPattern = /^\/run(?:\/[A-Za-z0-9_@+-][A-Za-z0-9._@+-]*)+$/;
/** Source: unix(7), with the zero byte. */
const socketBytesMax = 107;

function parseSocket(text: string): Result<string, Cause> {
  if (socketPattern.test(text) && text.length <= socketBytesMax) return ok(text);
  return fail({
    reason: `"${text}" cannot be the path of a socket`,
    hint: `write a path below /run with letters, digits and . _ @ + -, at most ${socketBytesMax} characters`,
  });
}

function readVariables(element: XmlElement, diagnostics: Diagnostics): readonly AppVariable[] {
  const children = childrenOf(element, 'env');
  if (children.length > appVariablesMax)
    diagnostics.error(
      element,
      `<app> has ${children.length} variables; ${appVariablesMax} are the most; use the attribute "environment"`,
    );
  const seen = new Set<string>();
  return children.flatMap((child): readonly AppVariable[] => {
    const read = new AttributeReader(child, diagnostics);
    const name = read.parsed('name', parseVariable);
    const value = read.parsed('value', valueKinds.line.parse);
    if (name === undefined || value === undefined) return [];
    if (seen.has(name)) diagnostics.error(child, `The variable "${name}" occurs twice`);
    seen.add(name);
    return [{ name, value }];
  });
}

function parseVariable(text: string): Result<string, Cause> {
  const parsed = valueKinds.variable.parse(text);
  if (!parsed.ok || !isReservedVariable(text)) return parsed;
  return fail({ reason: `The variable "${text}" cannot be set here: the service sets it itself` });
}
