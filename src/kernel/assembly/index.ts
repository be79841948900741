/** What the module exports. It imports one memory, owns no data and allocates nothing. */
export { scanList, scanRun } from './codes';
export { dot, squaredL2 } from './floats';
