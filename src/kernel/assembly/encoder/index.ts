/** What the encoder's module exports. It imports one shared memory, owns no data and allocates nothing. */
export { attend } from './attend';
export { normaliseRows } from './layer-norm';
export { multiply } from './multiply';
