/** One kind of panel: how it is recognised, and how what it knows is read. A new panel is one file with a constant of this type. */
import type { Paths } from '../../../host/paths.ts';
import type { PanelSourceName } from '../../../policy/panel/panel-record.ts';
import type { StatedData } from '../../core/panel-data.ts';

export interface Place {
  readonly paths: Paths;
  /** The directory that holds the host's file system; empty but for a fixture. */
  readonly root: string;
}

export interface PanelSource {
  readonly name: PanelSourceName;
  /** The name of the panel, for people. */
  readonly panel: string;
  /** The file or directory by which it is recognised, and which is read. */
  readonly mark: string;
  readonly read: (place: Place) => StatedData | Promise<StatedData>;
}
