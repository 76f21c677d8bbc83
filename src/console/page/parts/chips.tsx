/** Filters of which one is chosen: `(All 1,000)(At a limit 3)`. The choice is in the address. */
import { numbers } from '../state/language.ts';
import { queryOf, setQuery } from '../state/route.ts';

export interface ChipsProps<Key extends string> {
  /** The name for those who do not see that it is a group. */
  readonly label: string;
  /** The key in the address. */
  readonly name: string;
  /** The first is chosen if the address says nothing. */
  readonly choices: readonly {
    readonly key: Key;
    readonly text: string;
    readonly count?: number;
  }[];
}

export function Chips<Key extends string>({ label, name, choices }: ChipsProps<Key>) {
  const chosen = chosenOf(
    name,
    choices.map(({ key }) => key),
  );
  return (
    <div class="chips" role="group" aria-label={label}>
      {choices.map(({ key, text, count }, at) => (
        <button
          type="button"
          key={key}
          aria-pressed={key === chosen}
          onClick={() => setQuery({ [name]: at === 0 ? undefined : key })}
        >
          {text} {count !== undefined && <span class="count">{numbers.value.number(count)}</span>}
        </button>
      ))}
    </div>
  );
}

/** Returns the choice in the address, or the first. */
export const chosenOf = <Key extends string>(name: string, keys: readonly Key[]): Key =>
  keys.find((each) => each === queryOf(name)) ?? keys[0]!;
