/** The content of a chart: lines, a limit, and marked periods. */
import type { MetricUnit } from '../../../usage/metrics.ts';

export type LineKind = 'main' | 'second' | 'third' | 'peak';

export interface PlotLine {
  readonly kind: LineKind;
  /** null: nothing was measured. */
  readonly values: readonly (number | null)[];
}

/** A period that is marked: an incident. */
export interface PlotBand {
  readonly id: string;
  readonly from: number;
  readonly to: number;
  readonly level: string;
  readonly title: string;
  readonly href: string;
}

export interface PlotContent {
  /** Milliseconds since 1970. */
  readonly from: number;
  readonly to: number;
  readonly lines: readonly PlotLine[];
  readonly limit: number | undefined;
  readonly unit: MetricUnit;
  readonly bands: readonly PlotBand[];
}
