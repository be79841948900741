/** Figures for operators: counters, gauges and histograms, and the text in which Prometheus reads them. */
export { type Labels, type Sample, writeFamily } from './exposition.ts';
export { type Counter, type Histogram, Registry } from './registry.ts';
