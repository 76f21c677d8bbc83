/** Theme and language. */
import { chooseLanguage, language, languages, missingLanguage, words } from '../state/language.ts';
import { chooseTheme, theme, themes } from '../state/theme.ts';

export function Choices() {
  const { shell } = words.value;
  const missing = missingLanguage.value;
  return (
    <div class="choices">
      <label>
        <span class="quiet">{shell.theme}</span>{' '}
        <select value={theme.value} onChange={(event) => chooseTheme(event.currentTarget.value)}>
          {themes.map((each) => (
            <option key={each} value={each}>
              {shell.themes[each]}
            </option>
          ))}
        </select>
      </label>{' '}
      <label>
        <span class="quiet">{shell.language}</span>{' '}
        <select
          value={language.value}
          onChange={(event) => void chooseLanguage(event.currentTarget.value)}
        >
          {Object.entries(languages).map(([key, name]) => (
            <option key={key} value={key} lang={key}>
              {name}
            </option>
          ))}
        </select>
      </label>
      {missing !== undefined && <p role="alert">{shell.languageFailed(languages[missing])}</p>}
    </div>
  );
}
