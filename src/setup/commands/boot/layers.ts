/** Layers of protection that a boot option raises: the command that writes it, or that it is written. */
import type { Layer } from '../../../../packages/base/layer.ts';
import { because, joined } from '../../../../packages/base/layer-texts.ts';
import { thisHost } from '../../../host/boot/boot-host.ts';
import type { Paths } from '../../../host/paths.ts';
import { raises, type OptionState } from '../../core/boot/state.ts';
import { readBootView } from '../../io/boot/boot-view.ts';
import { isContainer } from '../../io/boot/loaders/find-loader.ts';

const command = 'bulkhead setup boot';

/** Returns how a layer is to be shown. A record that cannot be read is for the command to explain. */
export function layersAtBoot(paths: Paths, host = thisHost): (layer: Layer) => Layer {
  if (process.geteuid?.() !== 0 || isContainer(host)) return (layer) => layer;
  let states: readonly OptionState[] | undefined;
  return (layer) => {
    if (!canRise(layer)) return layer;
    if (states === undefined) {
      const view = readBootView(paths);
      states = view.ok ? view.value.states : [];
    }
    return layerAtBoot(layer, states);
  };
}

/** A layer that is enforced in part and names its own remedy has another reason. */
const canRise = ({ state, improve }: Layer) =>
  state === 'unavailable' || (state === 'partly' && improve === undefined);

export function layerAtBoot(layer: Layer, states: readonly OptionState[]): Layer {
  const option = raises(states, layer.key);
  if (option === undefined || !canRise(layer)) return layer;
  const { improve, improves: _improves, ...rest } = layer;
  switch (option.state) {
    case 'at next reboot': {
      const written = because('boot option written', option.name);
      const { reason, reasons = because('english', reason).reasons } = layer;
      const why = layer.state === 'partly' ? joined({ reason, reasons }, written) : written;
      return { ...rest, ...why, boot: 'written' };
    }
    case 'needs a reboot':
    case 'without effect':
      return { ...rest, improve: command, boot: 'needed' };
    case 'only if named':
      return improve === undefined
        ? { ...rest, improve: `${command} --add ${option.name}` }
        : layer;
    case 'by hand':
      return improve === undefined ? { ...rest, improve: command } : layer;
  }
}
