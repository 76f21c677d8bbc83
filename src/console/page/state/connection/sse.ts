/** Server-sent events, as far as the console's stream uses them. Source: the HTML standard, section 9.2. */

interface ServerEvent {
  readonly event: string;
  readonly data: string;
}

/** The most characters of an event that has not ended. */
const charactersMax = 16 * 2 ** 20;

/** Returns the whole events in a text, and the rest of it. Comments are events without data. */
export function takeEvents(text: string): {
  readonly events: readonly ServerEvent[];
  readonly rest: string;
} {
  const blocks = text.replaceAll('\r\n', '\n').split('\n\n');
  const rest = blocks.pop() ?? '';
  if (rest.length > charactersMax) throw new Error('the stream has an event without an end');
  return { events: blocks.map(parseEvent), rest };
}

function parseEvent(block: string): ServerEvent {
  let event = 'message';
  const data: string[] = [];
  for (const line of block.split('\n')) {
    const [, field, value = ''] = /^(event|data): ?(.*)$/.exec(line) ?? [];
    if (field === 'event') event = value;
    if (field === 'data') data.push(value);
  }
  return { event, data: data.join('\n') };
}
