/**
 * Keys from the bytes of a terminal in raw mode. A key is its character, or a name if it has none;
 * unknown sequences are dropped as a whole.
 *
 *     \u001b[A → up    \u001b[5~ → pageup    \r → enter    \u0003 → ctrl-c    \u001b → escape
 */
export type Key = string;

const controls: Readonly<Record<string, Key>> = {
  '\u0003': 'ctrl-c',
  '\u0004': 'ctrl-d',
  '\u0008': 'backspace',
  '\u0009': 'tab',
  '\u000a': 'enter',
  '\u000c': 'ctrl-l',
  '\u000d': 'enter',
  '\u0015': 'ctrl-u',
  '\u001a': 'ctrl-z',
  '\u007f': 'backspace',
};

/** The sequences after ESC [ or ESC O. Terminals differ in Home and End; all of these are in use. */
const sequences: Readonly<Record<string, Key>> = {
  A: 'up',
  B: 'down',
  C: 'right',
  D: 'left',
  H: 'home',
  F: 'end',
  '1~': 'home',
  '7~': 'home',
  '4~': 'end',
  '8~': 'end',
  '5~': 'pageup',
  '6~': 'pagedown',
};

/** A longer sequence is not a key: it is dropped. */
const longestSequence = 32;
// oxlint-disable-next-line no-control-regex -- the sequence that a terminal sends for a key
const sequence = /^\u001b(?:\[([0-9;:<=>?]*[ -/]*[@-~])|O([@-~]))/;
// oxlint-disable-next-line no-control-regex -- an incomplete sequence, the rest of which is still to come
const begun = /^\u001b(?:\[[0-9;:<=>? -/]*|O)?$/;

interface Decoded {
  readonly keys: readonly Key[];
  /** An incomplete sequence; `flushKeys` turns it into a key if nothing follows. */
  readonly rest: string;
}

/** Decodes keys; `text` starts with the rest of the previous input. */
export function decodeKeys(text: string): Decoded {
  const keys: Key[] = [];
  let left = text;
  while (left !== '') {
    if (begun.test(left)) {
      return { keys, rest: left.length > longestSequence ? '' : left };
    }
    const match = sequence.exec(left);
    if (match !== null) {
      const key = sequences[match[1] ?? match[2] ?? ''];
      if (key !== undefined) keys.push(key);
      left = left.slice(match[0].length);
      continue;
    }
    const [char = ''] = left;
    const key = charKey(char);
    if (key !== undefined) keys.push(key);
    left = left.slice(char.length);
  }
  return { keys, rest: '' };
}

function charKey(char: string): Key | undefined {
  if (char === '\u001b') return 'escape';
  if (char >= ' ' && char !== '\u007f') return char;
  return Object.hasOwn(controls, char) ? controls[char] : undefined;
}

/** Returns the key if nothing followed in time: Escape without a sequence. */
export const flushKeys = (rest: string): readonly Key[] => (rest === '\u001b' ? ['escape'] : []);

/** Whether a key is a character that can be typed. */
export const isText = (key: Key) => /^[^\p{C}\u2028\u2029]$/u.test(key);
