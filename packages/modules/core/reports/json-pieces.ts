/**
 * JSON in pieces, so that a document about thousands of modules is never in memory as a whole.
 *
 * An array in `items` may be a generator. It is written with one element a line, and an element is
 * made only when it is written.
 */
import { jsonText } from '../../../base/json.ts';

class Items {
  readonly values: Iterable<unknown>;

  constructor(values: Iterable<unknown>) {
    this.values = values;
  }
}

export const items = (values: Iterable<unknown>): Items => new Items(values);

type Outline =
  | Items
  | string
  | number
  | boolean
  | null
  | undefined
  | readonly Outline[]
  | OutlineObject;
interface OutlineObject {
  readonly [key: string]: Outline;
}

/**
 * Yields the document and a newline at its end. Only the outline is walked by recursion, never its
 * items.
 */
export function* jsonDocument(outline: Outline): Generator<string> {
  yield* pieces(outline);
  yield '\n';
}

function* pieces(value: Outline): Generator<string> {
  if (value instanceof Items) yield* lines(value.values);
  else if (Array.isArray(value)) yield* list(value as readonly Outline[]);
  else if (typeof value === 'object' && value !== null) yield* object(value as OutlineObject);
  else yield jsonText(value ?? null);
}

function* lines(values: Iterable<unknown>): Generator<string> {
  let before = '[\n';
  for (const each of values) {
    yield before + jsonText(each);
    before = ',\n';
  }
  yield before === '[\n' ? '[]' : '\n]';
}

function* list(values: readonly Outline[]): Generator<string> {
  yield '[';
  for (const [index, each] of values.entries()) {
    if (index > 0) yield ',';
    yield* pieces(each);
  }
  yield ']';
}

function* object(value: OutlineObject): Generator<string> {
  let before = '{';
  for (const [key, each] of Object.entries(value)) {
    if (each === undefined) continue;
    yield `${before}${jsonText(key)}:`;
    yield* pieces(each);
    before = ',';
  }
  yield before === '{' ? '{}' : '}';
}
