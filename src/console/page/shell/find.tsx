/** The field that finds: `/` goes to it, Enter to the first match. */
import { useEffect, useRef, useState } from 'preact/hooks';
import { words } from '../state/language.ts';
import { members, role } from '../state/live.ts';
import { findMatches } from './find-matches.ts';

export function Find() {
  const field = useRef<HTMLInputElement>(null);
  const [text, setText] = useState('');
  const [chosen, setChosen] = useState(0);
  const { shell } = words.value;
  useEffect(() => {
    const focus = (event: KeyboardEvent) => {
      if (event.key !== '/' || event.ctrlKey || event.metaKey || isTyping(event.target)) return;
      event.preventDefault();
      field.current?.focus();
    };
    addEventListener('keydown', focus);
    return () => removeEventListener('keydown', focus);
  }, []);
  if (role.value === 'tenant' || role.value === undefined) return null;
  const matches = findMatches(text, members.value, words.value);
  const at = Math.min(chosen, matches.length - 1);
  const leave = () => setText('');
  const pressed = (event: KeyboardEvent) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step !== undefined && matches.length > 0) {
      event.preventDefault();
      setChosen((at + step + matches.length) % matches.length);
    } else if (event.key === 'Escape') leave();
    else if (event.key === 'Enter' && matches[at] !== undefined) {
      location.hash = matches[at].href;
      leave();
    }
  };
  return (
    <div class="find" role="search">
      <input
        ref={field}
        id="find"
        type="search"
        role="combobox"
        list={undefined}
        autocomplete="off"
        spellcheck={false}
        maxLength={100}
        aria-label={shell.find}
        aria-expanded={matches.length > 0}
        aria-controls="found"
        aria-autocomplete="list"
        {...(matches.length > 0 && { 'aria-activedescendant': `found-${at}` })}
        placeholder={`/  ${shell.find}`}
        value={text}
        onInput={(event) => {
          setText(event.currentTarget.value);
          setChosen(0);
        }}
        onKeyDown={pressed}
        onBlur={leave}
      />
      <ul id="found" role="listbox" aria-label={shell.find} hidden={matches.length === 0}>
        {matches.map(({ title, note, href }, index) => (
          <li
            key={href}
            id={`found-${index}`}
            role="option"
            aria-selected={index === at}
            // The field would lose the focus, and the list would close before the click.
            onPointerDown={(event) => event.preventDefault()}
            onClick={() => {
              location.hash = href;
              leave();
            }}
          >
            {title} <span class="quiet">{note}</span>
          </li>
        ))}
      </ul>
    </div>
  );
}

const isTyping = (target: EventTarget | null) =>
  target instanceof HTMLElement && target.closest('input, textarea, select, dialog') !== null;
