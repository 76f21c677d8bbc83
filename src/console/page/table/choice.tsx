/** The boxes that tick rows of a table. Ticks stay while rows are filtered, sorted and renewed. */

export interface Choice {
  /** The keys of the ticked rows. */
  readonly chosen: ReadonlySet<string>;
  readonly setChosen: (chosen: ReadonlySet<string>) => void;
  readonly labelOf: (key: string) => string;
  readonly allLabel: string;
}

interface ChooseRowProps {
  readonly choice: Choice;
  /** The key of the row. */
  readonly name: string;
}

export const ChooseRow = ({ choice: { chosen, setChosen, labelOf }, name }: ChooseRowProps) => (
  <input
    type="checkbox"
    class="choice"
    aria-label={labelOf(name)}
    checked={chosen.has(name)}
    onChange={({ currentTarget: { checked } }) =>
      setChosen(checked ? new Set([...chosen, name]) : chosen.difference(new Set([name])))
    }
  />
);

interface ChooseAllProps {
  readonly choice: Choice;
  /** The keys of all rows that the filter passes, also of those outside the view. */
  readonly keys: readonly string[];
}

export function ChooseAll({ choice: { chosen, setChosen, allLabel }, keys }: ChooseAllProps) {
  const count = keys.filter((key) => chosen.has(key)).length;
  const all = new Set(keys);
  return (
    <input
      type="checkbox"
      class="choice"
      aria-label={allLabel}
      checked={count === keys.length}
      indeterminate={count > 0 && count < keys.length}
      onChange={({ currentTarget: { checked } }) =>
        setChosen(checked ? chosen.union(all) : chosen.difference(all))
      }
    />
  );
}
