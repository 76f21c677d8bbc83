/**
 * Reads C structures that BPF programs report: little-endian, each field aligned to its size, as a table of the fields in
 * their order describes them. `scripts/privileged.ts` compares the tables with the compiled programs.
 */
const integers = { u32: 4, s32: 4, u64: 8 } as const;
/** An integer, or characters: `[16]` is `char[16]`, `[6, 32]` is `char[6][32]`. */
type Field = keyof typeof integers | readonly [number] | readonly [number, number];

interface Placed {
  readonly type: Field;
  readonly offset: number;
  readonly size: number;
}

const decoder = new TextDecoder();

export class CStruct<Name extends string> {
  readonly fields: ReadonlyMap<Name, Placed>;
  /** The size of the structure, with the padding at its end. */
  readonly size: number;

  /** Places the fields; a name with a dot names a field of a nested structure: `link.owner`. */
  constructor(fields: Readonly<Record<Name, Field>>) {
    const placed = new Map<Name, Placed>();
    let end = 0;
    let alignment = 1;
    for (const [name, type] of Object.entries(fields) as [Name, Field][]) {
      const step = typeof type === 'string' ? integers[type] : 1;
      const size = typeof type === 'string' ? step : type.reduce((product, each) => product * each);
      const offset = Math.ceil(end / step) * step;
      placed.set(name, { type, offset, size });
      end = offset + size;
      alignment = Math.max(alignment, step);
    }
    this.fields = placed;
    this.size = Math.ceil(end / alignment) * alignment;
  }

  /** Returns undefined if there are fewer bytes than the structure has. */
  read(bytes: Uint8Array): CRecord<Name> | undefined {
    return bytes.length < this.size ? undefined : new CRecord(this, bytes);
  }

  field(name: Name): Placed {
    return this.fields.get(name)!;
  }
}

export class CRecord<Name extends string> {
  readonly #struct: CStruct<Name>;
  readonly #bytes: Uint8Array;
  readonly #view: DataView;

  constructor(struct: CStruct<Name>, bytes: Uint8Array) {
    this.#struct = struct;
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** The value of a `u32` or `s32`. */
  number(name: Name): number {
    const { type, offset } = this.#struct.field(name);
    return type === 's32' ? this.#view.getInt32(offset, true) : this.#view.getUint32(offset, true);
  }

  bigint(name: Name): bigint {
    return this.#view.getBigUint64(this.#struct.field(name).offset, true);
  }

  bytes(name: Name): Uint8Array {
    const { offset, size } = this.#struct.field(name);
    return this.#bytes.subarray(offset, offset + size);
  }

  /** The text up to its NUL, or all of it, as somebody wrote it: see printable.ts. */
  text(name: Name): string {
    return textOf(this.bytes(name));
  }

  /** The texts of a `char[N][SIZE]`. */
  texts(name: Name): readonly string[] {
    const { type, size } = this.#struct.field(name);
    const length = typeof type === 'string' ? size : type.at(-1)!;
    const bytes = this.bytes(name);
    return Array.from({ length: size / length }, (_, index) =>
      textOf(bytes.subarray(index * length, (index + 1) * length)),
    );
  }
}

function textOf(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  return decoder.decode(end < 0 ? bytes : bytes.subarray(0, end));
}
