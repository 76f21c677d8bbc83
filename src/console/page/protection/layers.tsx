/** Layers of protection: the state of each, the reason, and what raises it. */
import { Fragment } from 'preact';
import type { Layer, LayerState } from '../../../../packages/base/layer.ts';
import type { LayerPart } from '../../../../packages/base/layer-texts.ts';
import { Badge } from '../parts/badge.tsx';
import { Disclosure } from '../parts/dialog.tsx';
import { English } from '../parts/english.tsx';
import { layerWords } from './layer-words.ts';
import { protectionWords } from './words.ts';

const badges = {
  enforced: 'good',
  partly: 'throttled',
  watched: 'throttled',
  open: 'killed',
  unavailable: 'plain',
  unknown: 'refused',
} as const satisfies Readonly<Record<LayerState, string>>;

interface LayersProps {
  readonly state: LayerState;
  readonly layers: readonly Layer[];
}

export function Layers({ state, layers }: LayersProps) {
  const text = protectionWords.value;
  if (layers.length === 0) return null;
  const list = (
    <ul class="list">
      {layers.map((layer) => (
        <Item key={layer.key} layer={layer} />
      ))}
    </ul>
  );
  // What is in force needs nobody.
  if (state !== 'enforced') return list;
  return <Disclosure summary={text.showEnforced(layers.length)}>{list}</Disclosure>;
}

function Item({ layer }: { readonly layer: Layer }) {
  const text = protectionWords.value;
  const { key, state, reason, reasons, improve, improves, boot, reported } = layer;
  return (
    <li>
      <span>
        <Badge kind={badges[state]} text={text.states[state]} />{' '}
        {layerName(key) !== key && <b>{layerName(key)}</b>} <code class="quiet">{key}</code>
      </span>
      <span>
        <Parts parts={reasons} english={reason} />
      </span>
      {reported !== undefined && (
        <span>{typeof reported === 'number' ? text.reports(reported) : text.reportsUnknown}</span>
      )}
      {boot !== undefined && <span>{text.boots[boot]}</span>}
      {improve !== undefined && (
        <span class="quiet">
          {text.next}{' '}
          {improves === undefined ? (
            <code>{improve}</code>
          ) : (
            <Parts parts={improves} english={improve} />
          )}
        </span>
      )}
    </li>
  );
}

/** Returns a layer's name for people; a layer that this page does not know keeps its key. */
export function layerName(key: string): string {
  const { layerNames, entryPath } = protectionWords.value;
  if (key.startsWith('entry ')) return entryPath(key.slice('entry '.length));
  const known: Readonly<Record<string, string>> = layerNames;
  return Object.hasOwn(known, key) ? (known[key] ?? key) : key;
}

interface PartsProps {
  readonly parts: readonly LayerPart[] | undefined;
  /** The whole text, for reports of another version, whose codes this page may not know. */
  readonly english: string;
}

function Parts({ parts = [], english }: PartsProps) {
  const known: Readonly<Record<string, unknown>> = layerWords.value;
  if (parts.length === 0 || !parts.every(({ code }) => Object.hasOwn(known, code)))
    return <English>{english}</English>;
  return (
    <>
      {parts.map(({ code, values = [] }, at) => {
        const text = known[code] as (...all: typeof values) => string;
        return (
          <Fragment key={at}>
            {at > 0 && '; '}
            {code === 'english' ? <English>{values[0]}</English> : text(...values)}
          </Fragment>
        );
      })}
    </>
  );
}
