/** Policies in any layout, as fast-check makes them. */
import fc from 'fast-check';

/** A policy in some layout, and what it says. */
const comment = fc.constantFrom(
  '<!-- <tenant user="t1"> -->',
  '<!-- it\'s > "5" & more -->',
  '<!---->',
  '<!-- one\n  two -->',
);

const style = fc.record({
  lineEnd: fc.constantFrom('\n', '\r\n'),
  step: fc.constantFrom('\t', '  ', '    ', ''),
  oneLine: fc.boolean(),
  start: fc.constantFrom('', '\uFEFF', '<?xml version="1.0" encoding="UTF-8"?>\n', '<!-- > -->\n'),
  end: fc.constantFrom('', '\n', '\n<!-- end -->\n'),
});

const gaps = fc.array(fc.oneof({ weight: 3, arbitrary: fc.constant('') }, comment), {
  minLength: 40,
  maxLength: 40,
});

const quotes = fc.array(fc.constantFrom('"', "'"), { minLength: 40, maxLength: 40 });

const spaces = fc.array(fc.constantFrom('', '', ' '), { minLength: 40, maxLength: 40 });

const limitText = fc.constantFrom(
  ['cpu', 'limit', '150%'],
  ['memory', 'limit', '1GiB'],
  ['io', 'read', '5MiB/s'],
  ['processes', 'limit', '&#49;00'],
  ['memory', 'soft', '512MiB'],
);

const block = fc.uniqueArray(limitText, { maxLength: 4, selector: ([name]) => name });

export const anyPolicy = fc
  .record({
    style,
    gaps,
    quotes,
    spaces,
    blocks: fc.array(block, { minLength: 5, maxLength: 5 }),
    hasDefaults: fc.boolean(),
    selfClose: fc.boolean(),
  })
  .map((parts) => new Writer(parts).text());

interface Parts {
  style: { lineEnd: string; step: string; oneLine: boolean; start: string; end: string };
  gaps: string[];
  quotes: string[];
  spaces: string[];
  blocks: (readonly string[])[][];
  hasDefaults: boolean;
  selfClose: boolean;
}

class Writer {
  readonly #parts: Parts;
  #used = 0;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  text(): string {
    const { style, blocks, hasDefaults } = this.#parts;
    const [inDefaults = [], inPackage = [], inReseller = [], inNested = [], inTenant = []] = blocks;
    const body = this.#element(
      0,
      'bulkhead',
      [['version', '1']],
      [
        ...(hasDefaults ? [() => this.#block(1, 'defaults', [], inDefaults)] : []),
        () => this.#block(1, 'package', [['name', 'p&#49;']], inPackage),
        () =>
          this.#block(1, 'reseller', [['user', 'r1']], inReseller, [
            () => this.#block(2, 'tenant', [['user', 't1']], inNested),
          ]),
        () =>
          this.#block(
            1,
            'tenant',
            [
              ['uid', '1005'],
              ['package', 'p1'],
            ],
            inTenant,
          ),
        () =>
          this.#element(
            1,
            'modules',
            [],
            [
              () =>
                this.#element(
                  2,
                  'deny',
                  [
                    ['name', 'lve'],
                    ['reason', 'a > b &amp; c/>'],
                  ],
                  [],
                ),
            ],
          ),
      ],
    );
    const text = style.start + body + style.end;
    return text.replace(/\r?\n/g, style.lineEnd);
  }

  #next<T>(list: readonly T[]): T {
    return list[this.#used++ % list.length] as T;
  }

  #block(
    depth: number,
    name: string,
    attributes: string[][],
    block: readonly (readonly string[])[],
    more: (() => string)[] = [],
  ) {
    const children = block.map(
      ([limit = '', attribute = '', value = '']) =>
        () =>
          this.#element(depth + 1, limit, [[attribute, value]], []),
    );
    return this.#element(depth, name, attributes, [...children, ...more]);
  }

  #element(
    depth: number,
    name: string,
    attributes: string[][],
    children: (() => string)[],
  ): string {
    const { style, gaps, quotes, spaces, selfClose } = this.#parts;
    const head = attributes.map(([key, value]) => {
      const quote = this.#next(quotes);
      const space = this.#next(spaces);
      return ` ${key}${space}=${space}${quote}${value}${quote}`;
    });
    const start = `<${name}${head.join('')}${this.#next(spaces)}`;
    if (children.length === 0 && selfClose) return `${start}/>`;
    const line = style.oneLine ? '' : `\n${style.step.repeat(depth + 1)}`;
    const inside = children.map((child) => {
      const before = this.#next(gaps);
      const after = this.#next(gaps);
      return `${line}${before}${before === '' ? '' : line}${child()}${after}`;
    });
    const last = style.oneLine ? '' : `\n${style.step.repeat(depth)}`;
    return `${start}>${inside.join('')}${children.length === 0 ? this.#next(gaps) : last}</${name}>`;
  }
}
